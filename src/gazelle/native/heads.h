// Losses of the last layer for LANES samples at a time: the loss, its gradient by the layer's sums, the accuracy.
//
// As in Keras probabilities are clipped to [low, high] before the logarithm, and the gradient vanishes where they are.
#pragma once
#include <algorithm>

#include "simd.h"

namespace {

enum Head { SPARSE, ONE_HOT, BINARY, SQUARED };  // softmax + label, softmax + distribution, sigmoid, squared error
enum TargetType { FLOATS, INTEGERS, BYTES };

struct Targets {
    const void* p;
    int type;
    INLINE float real(long i) const {
        if (type == FLOATS) return ((const float*)p)[i];
        return type == INTEGERS ? float(((const int32_t*)p)[i]) : float(((const uint8_t*)p)[i]);
    }
    INLINE int label(long i) const { return type == BYTES ? ((const uint8_t*)p)[i] : ((const int32_t*)p)[i]; }
};

struct Objective {
    int head;
    bool logits;  // the loss is taken from the sums themselves, without clipping
    float low, high;
    Targets targets;
};

INLINE Vector clipped(Vector p, const Objective& o) { return at_most(at_least(p, o.low), o.high); }

/// The slope of clipping, one half at the bounds, as JAX has it: near 1 probabilities are so few that many are `high`.
INLINE Vector clip_slope(Vector p, const Objective& o) {
    Vector half = splat(0.5f);
    Vector above = pick(p > o.low, splat(1), pick(p == o.low, half, Vector{}));
    return pick(p < o.high, above, pick(p == o.high, half, Vector{}));
}

struct Outcome {
    Vector loss{}, right{};
};

/// `valid` samples from number `row` of the targets on. Unit c's sums are at a + c * stride, its gradient goes to
/// d + c * stride, times `scale`.
inline Outcome softmax_head(const Objective& o, const float* a, float* d, long stride, int units, long row, int valid,
                            float scale) {
    Vector top = load(a), sum{}, own{}, own_z{};
    Mask best{}, label{};
    for (int c = 1; c < units; c++) {
        Vector z = load(a + c * stride);
        Mask more = z > top;
        top = pick(more, z, top);
        best = more ? Mask{} + c : best;
    }
    if (o.head == SPARSE)
        for (int i = 0; i < valid; i++) label[i] = o.targets.label(row + i);
    for (int c = 0; c < units; c++) {
        Vector z = load(a + c * stride) - top, e = exponential(z);
        store(d + c * stride, e);
        sum += e;
        own = pick(label == c, e, own);
        own_z = pick(label == c, z, own_z);
    }
    Vector one = splat(1), over = 1.f / sum, log_sum = logarithm(sum);
    Outcome result;
    if (o.head == SPARSE) {
        Vector p = own / sum;
        Mask known = (label >= 0) & (label < units);
        Vector slope = o.logits ? one : clip_slope(p, o), factor = pick(known, slope * scale, Vector{});
        for (int c = 0; c < units; c++)
            store(d + c * stride, (load(d + c * stride) * over - pick(label == c, one, Vector{})) * factor);
        Vector log_p = o.logits ? own_z - log_sum : logarithm(clipped(p, o));
        result.loss = pick(known, -log_p, Vector{});
    } else {
        Vector most{}, weight{};
        auto target = [&](int c) __attribute__((always_inline)) {
            Vector t{};
            for (int i = 0; i < valid; i++) t[i] = o.targets.real((row + i) * units + c);
            return t;
        };
        auto felt = [&](Vector t, Vector p) __attribute__((always_inline)) {  // the share of t that has a gradient
            return o.logits ? t : t * clip_slope(p, o);
        };
        for (int c = 0; c < units; c++) {
            Vector t = target(c), p = load(d + c * stride) / sum;
            Mask more = c ? t > most : Mask{} - 1;
            most = pick(more, t, most);
            label = more ? Mask{} + c : label;
            weight += felt(t, p);
            Vector log_p = o.logits ? load(a + c * stride) - top - log_sum : logarithm(clipped(p, o));
            result.loss -= t * log_p;
        }
        for (int c = 0; c < units; c++) {
            Vector p = load(d + c * stride) / sum;
            store(d + c * stride, (p * weight - felt(target(c), p)) * scale);
        }
    }
    result.right = pick((best == label) & (sum == sum), one, Vector{});  // with a NaN nothing is right
    return result;
}

/// One unit.
inline Outcome binary_head(const Objective& o, const float* a, float* d, long row, int valid, float scale) {
    Vector z = load(a), t{}, p = logistic(z), one = splat(1);
    for (int i = 0; i < valid; i++) t[i] = o.targets.real(row + i);
    Outcome result;
    Vector output = o.logits ? z : p;
    if (o.logits) {
        Vector magnitude = pick(z < 0.f, -z, z);
        result.loss = t * at_least(-z, 0.f) + (1.f - t) * at_least(z, 0.f) + logarithm_1p(exponential(-magnitude));
        store(d, (p - t) * scale);
    } else {
        Vector c = clipped(p, o);
        result.loss = -(t * logarithm(c) + (1.f - t) * logarithm(1.f - c));
        store(d, (p - t) * clip_slope(p, o) * scale);
    }
    Mask right = (t == 1.f) ? (output > 0.5f) : ((t == 0.f) & (output <= 0.5f));
    result.right = pick(right, one, Vector{});
    return result;
}

inline Outcome squared_head(const Objective& o, const float* a, float* d, long stride, int units, long row, int valid,
                            float scale) {
    Outcome result;
    for (int c = 0; c < units; c++) {
        Vector t{};
        for (int i = 0; i < valid; i++) t[i] = o.targets.real((row + i) * units + c);
        Vector error = load(a + c * stride) - t;
        result.loss += error * error;
        store(d + c * stride, error * (2.f / float(units) * scale));
    }
    result.loss *= 1.f / float(units);
    return result;
}

}  // namespace
