// One call of the kernel: what it has to do, and a layer in it.
#pragma once
#include <cstdint>
#include <vector>

#include "heads.h"
#include "stages.h"

namespace {

constexpr int BLOCK = 64;  // features of a block of the converted batch

inline long padded(long n) { return (n + LANES - 1) / LANES * LANES; }

struct Job {
    const void* x;
    bool bytes;  // x holds uint8, not float32
    float scale, offset;  // of x
    Objective objective;
    long row, whole;  // the first sample; the number of whole batches
    int batch, tail;  // samples of a whole batch; of the last, shorter one, 0 for none
    int threads;
    bool aside;  // whether one thread more may draw masks beside a single one
    float rate, beta1, beta2, epsilon, c1, c2;  // c: 1 - beta, from doubles
    int32_t* iteration;  // null: nothing is trained, and there are no slots
    float *loss_total, *loss_count;
    const float* importance;  // the samples' weights, null where all count alike
    std::vector<int> sizes, kinds;
    std::vector<Parameter> kernels, biases;  // nulls for a layer without bias
    std::vector<Stage> stages;  // in the order of the layers
    long batches() const { return whole + (tail > 0); }
    int size(long n) const { return n < whole ? batch : tail; }
    long start(long n) const { return row + n * batch; }
};

struct Layer {
    int in, out, wide, kind;  // wide: `out` padded to whole vectors
    bool biased;
    Parameter kernel, bias;  // rows of `wide`
    float *z, *dt, *d;  // activated sums and gradients by the sums, wide x batch; the gradients again, batch x wide
    std::vector<Stage> stages;
    const float* outputs() const { return stages.empty() ? z : stages.back().out; }
    const float* inputs_of(size_t stage) const { return stage ? stages[stage - 1].out : z; }
};

}  // namespace
