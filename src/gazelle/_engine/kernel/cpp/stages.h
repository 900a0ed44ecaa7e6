// What may follow a Dense layer and its activation: further activations, batch normalization, dropout; there and back.
// Arrays are units x batch; a thread has the samples b0 to b1 of the batch's `size`.
#pragma once
#include <cmath>
#include <cstring>
#include <vector>

#include "products.h"
#include "threefry.h"

namespace {

struct Parameter {
    float *value = nullptr, *mean = nullptr, *square = nullptr;  // the weights and Adam's slots
    float l1 = 0, l2 = 0;  // factors of its penalty
};

enum StageKind { ACTIVATE, NORMALIZE, DROP };

struct Stage {
    int layer, kind;  // the Dense layer that it follows
    int activation = LINEAR;
    float epsilon = 0, momentum = 0, rest = 0;  // of the normalization; rest: 1 - momentum, from doubles
    float keep = 1;  // the probability with which dropout lets a number pass
    Parameter gamma, beta;  // without values where there is none
    float *moving_mean = nullptr, *moving_variance = nullptr;
    uint32_t* seed = nullptr;  // key and counter of the first batch

    // What the network gives it: outputs, which numbers pass, for each thread rows with one number per unit.
    float* out = nullptr;
    uint16_t* passed = nullptr;  // a bit a number, LANES together
    struct Moments {
        float *mean, *squares;  // of the thread's samples: mean, sum of squared distances from it
        float *center, *inverse, *factor;  // of the batch: mean, 1 / deviation, gamma / deviation
        float *flow, *slope;  // sums over the thread's samples of the gradient by the outputs: plain, times the inputs
    };
    std::vector<Moments> moments;  // none where nothing is trained
};

/// The samples of a batch that a thread has.
struct Samples {
    int thread, threads, b0, b1, size;
    int of(int other) const {  // how many samples another thread has; shares are as in Network::share
        int vectors = (size + LANES - 1) / LANES, part = (vectors + threads - 1) / threads * LANES;
        return std::max(0, std::min(size, (other + 1) * part) - std::min(size, other * part));
    }
};

/// For LANES units j + i: the sums over a thread's samples of `term(i, place)`, where a place is that of LANES samples.
template <class Term>
INLINE Vector row_sums(const Samples& s, int j, long stride, Term term) {
    Vector sums[LANES];
    int whole = std::min(s.b1, s.size / LANES * LANES), rest = s.b0 <= whole && whole < s.b1 ? s.size - whole : 0;
#pragma GCC unroll 16
    for (int i = 0; i < LANES; i++) {
        Vector sum{};
        for (int b = s.b0; b < whole; b += LANES) sum += term(i, (j + i) * stride + b);
        sums[i] = sum;
    }
    if (rest > 0) {
        Mask there = numbers() < rest;
        for (int i = 0; i < LANES; i++) sums[i] += pick(there, term(i, (j + i) * stride + whole), Vector{});
    }
    transpose(sums);
    Vector sum = sums[0];
#pragma GCC unroll 16
    for (int i = 1; i < LANES; i++) sum += sums[i];
    return sum;
}

/// Moves the first `count` of LANES moving moments towards those of the batch.
INLINE void follow(const Stage& stage, float* moving, Vector moment, int count) {
    Vector old{};
    count = std::min(count, LANES);
    std::memcpy(&old, moving, count * 4);
    old = old * stage.momentum + moment * stage.rest;
    std::memcpy(moving, &old, count * 4);
}

/// The moments of the whole batch from those of the threads (Chan, Golub and LeVeque 1979), and the moving ones.
inline void combine(Stage& stage, const Samples& s, int units) {
    Stage::Moments& own = stage.moments[s.thread];
    float all = float(s.size);
    for (int j = 0; j < units; j += LANES) {
        Vector mean{}, squares{};
        for (int t = 0; t < s.threads; t++) mean += load(stage.moments[t].mean + j) * float(s.of(t));
        mean = mean / all;
        for (int t = 0; t < s.threads; t++) {
            Vector distance = load(stage.moments[t].mean + j) - mean;
            squares += load(stage.moments[t].squares + j) + distance * distance * float(s.of(t));
        }
        Vector variance = squares / all, inverse = 1.f / root(variance + stage.epsilon);
        store(own.center + j, mean);
        store(own.inverse + j, inverse);
        store(own.factor + j, stage.gamma.value ? load(stage.gamma.value + j) * inverse : inverse);
        if (s.thread) continue;
        follow(stage, stage.moving_mean + j, mean, units - j);
        follow(stage, stage.moving_variance + j, variance, units - j);
    }
}

template <class Wait>
void normalize(Stage& stage, const float* in, int units, long stride, const Samples& s, Wait wait) {
    Stage::Moments& own = stage.moments[s.thread];
    int count = std::max(1, s.of(s.thread));
    for (int j = 0; j < units; j += LANES) {
        Vector mean = row_sums(s, j, stride, [&](int, long at) { return load(in + at); }) / float(count);
        Vector squares = row_sums(s, j, stride, [&](int i, long at) {
            Vector distance = load(in + at) - mean[i];
            return distance * distance;
        });
        store(own.mean + j, mean);
        store(own.squares + j, squares);
    }
    wait();
    combine(stage, s, units);
    for (int j = 0; j < units; j++) {
        float factor = own.factor[j], offset = -own.center[j] * factor;
        if (stage.beta.value) offset += stage.beta.value[j];
        for (long at = j * stride + s.b0; at < j * stride + s.b1; at += LANES)
            store(stage.out + at, load(in + at) * factor + offset);
    }
}

/// The normalization of a model that predicts: by the moving moments.
inline void normalize_still(Stage& stage, const float* in, int units, long stride, const Samples& s) {
    for (int j = 0; j < units; j++) {
        float deviation = std::sqrt(stage.moving_variance[j] + stage.epsilon);
        float factor = (stage.gamma.value ? stage.gamma.value[j] : 1.f) / deviation;
        float offset = (stage.beta.value ? stage.beta.value[j] : 0.f) - stage.moving_mean[j] * factor;
        for (long at = j * stride + s.b0; at < j * stride + s.b1; at += LANES)
            store(stage.out + at, load(in + at) * factor + offset);
    }
}

/// The gradient by the normalization's inputs, in place of that by its outputs.
template <class Wait>
void normalize_back(Stage& stage, const float* in, float* d, int units, long stride, const Samples& s, Wait wait) {
    Stage::Moments& own = stage.moments[s.thread];
    for (int j = 0; j < units; j += LANES) {
        store(own.flow + j, row_sums(s, j, stride, [&](int, long at) { return load(d + at); }));
        Vector slope = row_sums(s, j, stride, [&](int i, long at) {
            return load(d + at) * (load(in + at) - own.center[j + i]);
        });
        store(own.slope + j, slope * load(own.inverse + j));
    }
    wait();
    for (int j = 0; j < units; j++) {
        float flow = 0, slope = 0, all = float(s.size);
        for (int t = 0; t < s.threads; t++) flow += stage.moments[t].flow[j], slope += stage.moments[t].slope[j];
        float center = own.center[j], inverse = own.inverse[j], factor = own.factor[j];
        flow /= all, slope /= all;
        for (long at = j * stride + s.b0; at < j * stride + s.b1; at += LANES) {
            Vector normal = (load(in + at) - center) * inverse;
            store(d + at, (load(d + at) - flow - normal * slope) * factor);
        }
    }
}

/// Which numbers of a batch pass, drawn as `gazelle.random._threefry.bernoulli` draws them for (batch, units).
inline void draw(const Stage& stage, uint16_t* passed, int units, long stride, const Samples& s, long batch) {
    constexpr int TOGETHER = 4;  // rows side by side: one alone would wait for its own last result
    uint32_t key = stage.seed[0], counter = stage.seed[1] + uint32_t(batch);
    Bits lane = (Bits)numbers() * uint32_t(units);
    for (int j = 0; j < units; j += TOGETHER)
        for (int b = s.b0; b < s.b1; b += LANES) {
            Bits places[TOGETHER];
            for (int i = 0; i < TOGETHER; i++) places[i] = lane + uint32_t(long(b) * units + j + i);
            threefry<TOGETHER>(key, counter, places);
            for (int i = 0; i < TOGETHER; i++)
                passed[((j + i) * stride + b) / LANES] = bits_of(unit_interval(places[i]) < stage.keep);
        }
}

INLINE Vector dropped(const Stage& stage, Vector v, long at, float over) {
    return pick(mask_of(stage.passed[at / LANES]), v * over, Vector{});
}

template <class Wait>
void forward(Stage& stage, const float* in, int units, long stride, const Samples& s, Wait wait) {
    if (stage.kind == NORMALIZE && stage.moments.empty()) return normalize_still(stage, in, units, stride, s);
    if (stage.kind == NORMALIZE) return normalize(stage, in, units, stride, s, wait);
    float over = 1.f / stage.keep;
    for (int j = 0; j < units; j++)
        for (long at = j * stride + s.b0; at < j * stride + s.b1; at += LANES) {
            Vector v = load(in + at);
            store(stage.out + at, stage.kind == DROP ? dropped(stage, v, at, over) : activate(stage.activation, v));
        }
}

/// The gradient `d` by the stage's outputs becomes the one by its inputs.
template <class Wait>
void backward(Stage& stage, const float* in, float* d, int units, long stride, const Samples& s, Wait wait) {
    if (stage.kind == NORMALIZE) return normalize_back(stage, in, d, units, stride, s, wait);
    float over = 1.f / stage.keep;
    for (int j = 0; j < units; j++)
        for (long at = j * stride + s.b0; at < j * stride + s.b1; at += LANES) {
            Vector v = load(d + at);
            store(d + at, stage.kind == DROP ? dropped(stage, v, at, over)
                                             : sloped(stage.activation, v, load(stage.out + at)));
        }
}

}  // namespace
