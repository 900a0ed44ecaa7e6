// Losses of the last layer for LANES samples at a time: the loss, its gradient by the layer's sums, the predictions.
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
    float* predictions;  // samples x units; null if they are not wanted
    INLINE void predict(Vector p, long row, int valid, int units, int c) const {
        if (predictions)
            for (int i = 0; i < valid; i++) predictions[(row + i) * units + c] = p[i];
    }
};

INLINE Vector clipped(Vector p, const Objective& o) { return at_most(at_least(p, o.low), o.high); }

/// The slope of clipping, one half at the bounds, as JAX has it: near 1 probabilities are so few that many are `high`.
INLINE Vector clip_slope(Vector p, const Objective& o) {
    Vector half = splat(0.5f);
    Vector above = pick(p > o.low, splat(1), pick(p == o.low, half, Vector{}));
    return pick(p < o.high, above, pick(p == o.high, half, Vector{}));
}

/// Softmax of LANES samples' sums, in place; unit c's are at z + c * stride.
inline void to_probabilities(float* z, long stride, int units) {
    Vector top = load(z), sum{};
    for (int c = 1; c < units; c++) {
        Vector v = load(z + c * stride);
        top = pick(v > top, v, top);
    }
    for (int c = 0; c < units; c++) {
        Vector e = exponential(load(z + c * stride) - top);
        store(z + c * stride, e);
        sum += e;
    }
    for (int c = 0; c < units; c++) store(z + c * stride, load(z + c * stride) / sum);
}

/// The losses of `valid` samples from number `row` of the targets on. Unit c's sums are at a + c * stride, its gradient
/// goes to d + c * stride, times `scale`.
inline Vector softmax_head(const Objective& o, const float* a, float* d, long stride, int units, long row, int valid,
                           Vector scale) {
    Vector top = load(a), sum{}, own{}, own_z{};
    Mask label{};
    for (int c = 1; c < units; c++) {
        Vector z = load(a + c * stride);
        top = pick(z > top, z, top);
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
    Vector one = splat(1), over = 1.f / sum, log_sum = logarithm(sum), loss{};
    if (o.predictions)
        for (int c = 0; c < units; c++)
            o.predict(o.logits ? load(a + c * stride) : load(d + c * stride) * over, row, valid, units, c);
    if (o.head == SPARSE) {
        Vector p = own / sum;
        Mask known = (label >= 0) & (label < units);
        Vector slope = o.logits ? one : clip_slope(p, o), factor = pick(known, slope * scale, Vector{});
        for (int c = 0; c < units; c++)
            store(d + c * stride, (load(d + c * stride) * over - pick(label == c, one, Vector{})) * factor);
        Vector log_p = o.logits ? own_z - log_sum : logarithm(clipped(p, o));
        loss = pick(known, -log_p, Vector{});
    } else {
        Vector weight{};
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
            weight += felt(t, p);
            Vector log_p = o.logits ? load(a + c * stride) - top - log_sum : logarithm(clipped(p, o));
            loss -= t * log_p;
        }
        for (int c = 0; c < units; c++) {
            Vector p = load(d + c * stride) / sum;
            store(d + c * stride, (p * weight - felt(target(c), p)) * scale);
        }
    }
    return loss;
}

/// One unit.
inline Vector binary_head(const Objective& o, const float* a, float* d, long row, int valid, Vector scale) {
    Vector z = load(a), t{}, p = logistic(z);
    for (int i = 0; i < valid; i++) t[i] = o.targets.real(row + i);
    o.predict(o.logits ? z : p, row, valid, 1, 0);
    if (o.logits) {
        Vector magnitude = pick(z < 0.f, -z, z);
        store(d, (p - t) * scale);
        return t * at_least(-z, 0.f) + (1.f - t) * at_least(z, 0.f) + logarithm_1p(exponential(-magnitude));
    }
    Vector c = clipped(p, o);
    store(d, (p - t) * clip_slope(p, o) * scale);
    return -(t * logarithm(c) + (1.f - t) * logarithm(1.f - c));
}

inline Vector squared_head(const Objective& o, const float* a, float* d, long stride, int units, long row, int valid,
                           Vector scale) {
    Vector loss{};
    for (int c = 0; c < units; c++) {
        Vector t{};
        for (int i = 0; i < valid; i++) t[i] = o.targets.real((row + i) * units + c);
        Vector z = load(a + c * stride), error = z - t;
        o.predict(z, row, valid, units, c);
        loss += error * error;
        store(d + c * stride, error * (2.f / float(units)) * scale);
    }
    return loss * (1.f / float(units));
}

}  // namespace
