// Trains a chain of Dense layers with Adam, batch after batch, on one or more threads.
//
// A step has two phases, each closed by a barrier:
//   samples: a thread takes its share of the batch through all layers, forward and backward, down to the gradients by
//            every layer's sums. Arrays are transposed (units x batch), so that vectors run along the batch;
//   weights: a thread takes its share of every kernel's rows. A tile's gradient is summed over the batch in registers
//            and Adam applied to it at once. Where the first layer is wide, the next batch's product with those rows of
//            the first kernel follows while they are in the cache (`by_features`).
// Shares depend on the number of threads alone, and sums are added in the order of the threads: results are the same
// in every run, however the batches are divided into calls.
#pragma once
#include <sys/mman.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "crew.h"
#include "heads.h"
#include "products.h"

namespace {

constexpr int BLOCK = 64;  // features of a block of the converted batch

inline long padded(long n) { return (n + LANES - 1) / LANES * LANES; }

struct Parameter {
    float *value = nullptr, *mean = nullptr, *square = nullptr;  // the weights and Adam's slots
};

struct Job {
    const void* x;
    bool bytes;  // x holds uint8, not float32
    float scale, offset;  // of x
    Objective objective;
    long row, whole;  // the first sample; the number of whole batches
    int batch, tail;  // samples of a whole batch; of the last, shorter one, 0 for none
    int threads;
    float rate, beta1, beta2, epsilon, c1, c2;  // c: 1 - beta, from doubles
    int32_t* iteration;
    float *loss_total, *loss_count, *right_total, *right_count;  // the last two null without accuracy
    std::vector<int> sizes, kinds;
    std::vector<Parameter> kernels, biases;  // a layer without bias has nulls
    long batches() const { return whole + (tail > 0); }
    int size(long n) const { return n < whole ? batch : tail; }
    long start(long n) const { return row + n * batch; }
};

/// One piece of memory for everything, on huge pages where that pays.
class Arena {
   public:
    explicit Arena(size_t bytes) {
        constexpr size_t huge = 2 << 20;
        size_t unit = bytes >= huge ? huge : 128;
        bytes = (bytes + unit - 1) / unit * unit;
        base_ = at_ = (char*)std::aligned_alloc(unit, bytes);
        if (!base_) throw std::bad_alloc();
        if (unit == huge) madvise(base_, bytes, MADV_HUGEPAGE);
    }
    ~Arena() { std::free(base_); }
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    static size_t room(size_t floats) { return (floats * 4 + 127) & ~size_t(127); }
    float* zeros(size_t floats) {
        float* p = (float*)at_;
        at_ += room(floats);
        std::memset(p, 0, floats * 4);
        return p;
    }

   private:
    char *base_, *at_;
};

struct Layer {
    int in, out, wide, kind;  // wide: `out` padded to whole vectors
    bool biased;
    Parameter kernel, bias;  // rows of `wide`
    float *a, *dt, *d;  // outputs and gradients by the sums, wide x batch; the gradients again, batch x wide
};

class Network {
   public:
    explicit Network(const Job& job)
        : job_(job), threads_(job.threads), wide_(padded(std::max(job.batch, job.tail))), barrier_(job.threads) {
        size_t depth = job.kinds.size(), need = 4096;
        blocks_ = (job.sizes[0] + BLOCK - 1) / BLOCK;
        for (size_t l = 0; l < depth; l++) {
            long wide = padded(job.sizes[l + 1]);
            need += 3 * Arena::room(job.sizes[l] * wide) + 3 * Arena::room(wide) + 3 * Arena::room(wide * wide_);
        }
        need += Arena::room(blocks_ * BLOCK * wide_) + threads_ * Arena::room(padded(job.sizes[1]) * wide_);
        arena_ = std::make_unique<Arena>(need);
        for (size_t l = 0; l < depth; l++) {
            Layer k;
            k.in = job.sizes[l], k.out = job.sizes[l + 1], k.kind = job.kinds[l], k.wide = padded(k.out);
            k.biased = job.biases[l].value != nullptr;
            each(k.kernel, job.kernels[l], [&](float* theirs) { return borrow(theirs, k.in, k); });
            each(k.bias, job.biases[l], [&](float* theirs) { return borrow(theirs, 1, k); });
            k.a = arena_->zeros(k.wide * wide_), k.dt = arena_->zeros(k.wide * wide_);
            k.d = arena_->zeros(k.wide * wide_);
            layers_.push_back(k);
        }
        x_ = arena_->zeros(blocks_ * BLOCK * wide_);
        for (int t = 0; t < threads_; t++) partial_.push_back(arena_->zeros(layers_[0].wide * wide_));
        by_features_ = layers_[0].in >= (threads_ > 1 ? 512 : BLOCK);
        sums_.resize(threads_);
    }

    void train() {
        together(threads_, [this](int thread) { work(thread); });
        *job_.iteration += int32_t(job_.batches());
        for (size_t l = 0; l < layers_.size(); l++) {
            give_back(layers_[l].kernel, job_.kernels[l], layers_[l].in, layers_[l]);
            if (layers_[l].biased) give_back(layers_[l].bias, job_.biases[l], 1, layers_[l]);
        }
    }

   private:
    struct alignas(128) Sums {
        double loss = 0, right = 0;
    };
    struct Range {
        int from, to;
    };

    template <class Function>
    static void each(Parameter& mine, const Parameter& theirs, Function function) {
        mine.value = function(theirs.value), mine.mean = function(theirs.mean), mine.square = function(theirs.square);
    }
    static bool in_place(const float* theirs, const Layer& k) {
        return theirs && k.out == k.wide && (uintptr_t)theirs % sizeof(Vector) == 0;
    }
    /// The array itself where its rows are whole vectors, else a copy with padded rows; zeros for none.
    float* borrow(float* theirs, int rows, const Layer& k) {
        if (in_place(theirs, k)) return theirs;
        float* mine = arena_->zeros(long(rows) * k.wide);
        for (long i = 0; theirs && i < rows; i++) std::memcpy(mine + i * k.wide, theirs + i * k.out, k.out * 4);
        return mine;
    }
    static void give_back(const Parameter& mine, const Parameter& theirs, int rows, const Layer& k) {
        float* pairs[3][2] = {{theirs.value, mine.value}, {theirs.mean, mine.mean}, {theirs.square, mine.square}};
        for (auto& [to, from] : pairs)
            for (long i = 0; to != from && i < rows; i++) std::memcpy(to + i * k.out, from + i * k.wide, k.out * 4);
    }

    /// A thread's share of n things that go by units.
    Range share(int thread, int n, int unit) const {
        int part = ((n + threads_ - 1) / threads_ + unit - 1) / unit * unit;
        return {std::min(thread * part, n), std::min((thread + 1) * part, n)};
    }

    void work(int thread) {
        long batches = job_.batches();
        if (by_features_) {
            Range k = share(thread, layers_[0].in, BLOCK);
            for (int q = k.from; q < k.to; q += BLOCK)
                first_product(thread, 0, job_.size(0), q, std::min(k.to, q + BLOCK), q == k.from, 0);
            barrier_.wait();
        }
        for (long n = 0; n < batches; n++) {
            samples_phase(thread, n);
            barrier_.wait();
            weights_phase(thread, n);
            barrier_.wait();
        }
    }

    /// Features k0 to k1 (of one block) of the batch's samples r0 to r1, as floats.
    void convert(int r0, int r1, int k0, int k1, long n) {
        long in = layers_[0].in, wide = std::min<long>(BLOCK, k1 - k0);
        float* to = x_ + long(k0 / BLOCK) * BLOCK * wide_ + k0 % BLOCK;
        for (long r = r0; r < r1; r++) {
            long at = (job_.start(n) + r) * in + k0;
            float* row = to + r * BLOCK;
            if (job_.bytes) {
                const uint8_t* from = (const uint8_t*)job_.x + at;
                if (wide == BLOCK)
                    for (int k = 0; k < BLOCK; k++) row[k] = float(from[k]) * job_.scale + job_.offset;
                else
                    for (int k = 0; k < wide; k++) row[k] = float(from[k]) * job_.scale + job_.offset;
                __builtin_prefetch(from + BLOCK);
            } else {
                const float* from = (const float*)job_.x + at;
                if (job_.scale == 1.f && job_.offset == 0.f)
                    std::memcpy(row, from, wide * 4);
                else
                    for (int k = 0; k < wide; k++) row[k] = from[k] * job_.scale + job_.offset;
            }
        }
    }

    /// Adds a block of features' part of the first layer's sums, for samples r0 to r1 of batch n.
    void first_product(int thread, int r0, int r1, int k0, int k1, bool first, long n) {
        convert(r0, r1, k0, k1, n);
        Layer& k = layers_[0];
        product(Operand{x_ + long(k0 / BLOCK) * BLOCK * wide_, BLOCK, 1}, k.kernel.value + long(k0) * k.wide, k.wide,
                k1 - k0, r0, r1, 0, k.wide, Accumulate{partial_[thread], k.wide, first});
    }

    void samples_phase(int thread, long n) {
        int size = job_.size(n), vectors = (size + LANES - 1) / LANES;
        Range own = share(thread, vectors, 1);
        int b0 = own.from * LANES, b1 = own.to * LANES;
        sums_[thread] = Sums();
        if (b0 == b1) return;
        Layer& first = layers_[0];
        if (!by_features_)
            for (int k = 0; k < first.in; k += BLOCK)
                first_product(0, b0, std::min(b1, size), k, std::min(first.in, k + BLOCK), k == 0, n);
        first_outputs(b0, b1);
        for (size_t l = 1; l < layers_.size(); l++) {
            Layer &k = layers_[l], &before = layers_[l - 1];
            product(Operand{k.kernel.value, 1, k.wide}, before.a, wide_, k.in, 0, k.out, b0, b1,
                    Forward{k.bias.value, k.a, wide_, k.kind});
        }
        loss(thread, n, b0, b1);
        for (size_t l = layers_.size(); l-- > 0;) {
            Layer& k = layers_[l];
            if (l > 0) {
                Layer& before = layers_[l - 1];
                product(Operand{k.kernel.value, k.wide, 1}, k.dt, wide_, k.out, 0, k.in, b0, b1,
                        Backward{before.a, before.dt, wide_, before.kind});
            }
            turn(k, b0, b1);
        }
    }

    /// Adds the threads' parts of the first layer's sums, transposed, and activates them.
    void first_outputs(int b0, int b1) {
        Layer& k = layers_[0];
        int parts = by_features_ ? threads_ : 1;
        for (int j = 0; j < k.wide; j += LANES)
            for (int b = b0; b < b1; b += LANES) {
                Vector t[LANES];
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++) {
                    long at = long(b + i) * k.wide + j;
                    t[i] = load(partial_[0] + at);
                    for (int p = 1; p < parts; p++) t[i] += load(partial_[p] + at);
                }
                transpose(t);
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++)
                    store(k.a + long(j + i) * wide_ + b, activate(k.kind, t[i] + k.bias.value[j + i]));
            }
    }

    /// The gradients by a layer's sums, transposed for the weights phase.
    void turn(Layer& k, int b0, int b1) {
        for (int j = 0; j < k.wide; j += LANES)
            for (int b = b0; b < b1; b += LANES) {
                Vector t[LANES];
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++) t[i] = load(k.dt + long(j + i) * wide_ + b);
                transpose(t);
#pragma GCC unroll 16
                for (int i = 0; i < LANES; i++) store(k.d + long(b + i) * k.wide + j, t[i]);
            }
    }

    void loss(int thread, long n, int b0, int b1) {
        Layer& k = layers_.back();
        const Objective& o = job_.objective;
        int size = job_.size(n);
        float scale = 1.f / float(size);
        for (int b = b0; b < b1; b += LANES) {
            int valid = std::min(LANES, size - b);
            long row = job_.start(n) + b;
            Outcome found = o.head == BINARY    ? binary_head(o, k.a + b, k.dt + b, row, valid, scale)
                            : o.head == SQUARED ? squared_head(o, k.a + b, k.dt + b, wide_, k.out, row, valid, scale)
                                                : softmax_head(o, k.a + b, k.dt + b, wide_, k.out, row, valid, scale);
            for (int i = 0; i < valid; i++)
                sums_[thread].loss += found.loss[i], sums_[thread].right += found.right[i];
        }
    }

    /// Counts a batch in, as the metrics do: in float32, the batch's mean times its size.
    void count(long n) {
        double loss = 0, right = 0;
        for (const Sums& sums : sums_) loss += sums.loss, right += sums.right;
        float size = float(job_.size(n));
        *job_.loss_total += float(loss / size) * size;
        *job_.loss_count += size;
        if (!job_.right_total) return;
        *job_.right_total += float(right);
        *job_.right_count += size;
    }

    /// Adam's update number t; the corrections in float32, as XLA computes them.
    Adam adam(const Parameter& p, long stride, long n) const {
        double t = double(*job_.iteration) + double(n) + 1;
        float first = 1.f - float(std::pow(double(job_.beta1), t));
        float second = 1.f - float(std::pow(double(job_.beta2), t));
        Adam result;
        result.value = p.value, result.mean = p.mean, result.square = p.square, result.stride = stride;
        result.alpha = job_.rate * (std::sqrt(second) / first);
        result.c1 = job_.c1, result.c2 = job_.c2, result.epsilon = job_.epsilon;
        return result;
    }

    void weights_phase(int thread, long n) {
        int size = job_.size(n);
        bool more = n + 1 < job_.batches();
        if (thread == 0) count(n);
        for (size_t l = layers_.size(); l-- > 0;) {
            Layer& k = layers_[l];
            Range own = share(thread, k.in, l || !by_features_ ? 4 : BLOCK);
            if (thread == threads_ - 1 && k.biased) update_bias(k, size, n);
            Adam update = adam(k.kernel, k.wide, n);
            if (l) {
                product(Operand{layers_[l - 1].a, wide_, 1}, k.d, k.wide, size, own.from, own.to, 0, k.wide, update);
                continue;
            }
            for (int q = own.from, end; q < own.to; q = end) {
                end = std::min(own.to, q / BLOCK * BLOCK + BLOCK);
                const float* block = x_ + long(q / BLOCK) * BLOCK * wide_ - q / BLOCK * BLOCK;
                product(Operand{block, 1, BLOCK}, k.d, k.wide, size, q, end, 0, k.wide, update);
                if (by_features_ && more) first_product(thread, 0, job_.size(n + 1), q, end, q == own.from, n + 1);
            }
        }
    }

    void update_bias(Layer& k, int size, long n) {
        Adam update = adam(k.bias, k.wide, n);
        for (int j = 0; j < k.wide; j += LANES) {
            Vector g{};
            for (long b = 0; b < size; b++) g += load(k.d + b * k.wide + j);
            update.apply(j, g);
        }
    }

    const Job& job_;
    int threads_;
    long wide_, blocks_ = 0;  // the batch padded to whole vectors; blocks of features
    Barrier barrier_;
    std::vector<Layer> layers_;
    std::unique_ptr<Arena> arena_;
    float* x_ = nullptr;  // the converted batch: blocks of features, each batch x BLOCK
    std::vector<float*> partial_;  // the first layer's sums, batch x wide, a thread's part each
    bool by_features_ = false;
    std::vector<Sums> sums_;
};

}  // namespace
