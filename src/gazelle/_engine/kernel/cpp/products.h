// Matrix products in tiles that stay in registers, and what is done with a tile's sums at once: bias and activation,
// the activation's slope, Adam.
#pragma once
#include "simd.h"

namespace {

#if defined(__AVX512VL__)
constexpr int ROWS = 8;  // of a tile: 8 x 3 sums fit 32 registers
#else
constexpr int ROWS = 4;  // 4 x 3 sums fit 16 registers
#endif

/// A matrix whose element (i, r) is at p[i * row + r * inner].
struct Operand {
    const float* p;
    long row, inner;
};

/// M rows from i on, N vectors from column j on, of sum over r of a(i, r) * b[r][j].
template <int M, int N, class Finish>
INLINE void tile(Operand a, const float* b, long stride, int length, int i, int j, Finish& finish) {
    Vector sum[M][N];
#pragma GCC unroll 8
    for (int m = 0; m < M; m++)
#pragma GCC unroll 4
        for (int n = 0; n < N; n++) sum[m][n] = finish.start(i + m, j + n * LANES);
    const float* pa = a.p + i * a.row;
    const float* pb = b + j;
    auto step = [&]() __attribute__((always_inline)) {
        Vector v[N];
#pragma GCC unroll 4
        for (int n = 0; n < N; n++) v[n] = load(pb + n * LANES);
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) {
            Vector s = splat(pa[m * a.row]);
#pragma GCC unroll 4
            for (int n = 0; n < N; n++) sum[m][n] += s * v[n];
        }
        pa += a.inner, pb += stride;
    };
    int r = 0;
    if constexpr (Finish::lazy)
        if (finish.vectors == N)
            for (int m = 0; finish.done < finish.rows && r + N <= length; m++, r += N) {
                if (m < M) finish.fetch(i + m, j, N);
#pragma GCC unroll 4
                for (int n = 0; n < N; n++) {
                    step();
                    finish.apply_kept(n);
                }
                finish.next_row();
            }
    for (; r < length; r++) step();
    if constexpr (Finish::lazy) {
        finish.flush();
        finish.template keep<M, N>(i, j, sum);
    } else {
#pragma GCC unroll 8
        for (int m = 0; m < M; m++)
#pragma GCC unroll 4
            for (int n = 0; n < N; n++) finish.end(i + m, j + n * LANES, sum[m][n]);
    }
}

template <int N, class Finish>
INLINE void column(Operand a, const float* b, long stride, int length, int i0, int i1, int j, Finish& finish) {
    int i = i0;
    for (; i + ROWS <= i1; i += ROWS) tile<ROWS, N>(a, b, stride, length, i, j, finish);
    if constexpr (ROWS > 4)
        if (i + 4 <= i1) tile<4, N>(a, b, stride, length, i, j, finish), i += 4;
    if (i + 2 <= i1) tile<2, N>(a, b, stride, length, i, j, finish), i += 2;
    if (i < i1) tile<1, N>(a, b, stride, length, i, j, finish);
}

/// Rows i0 to i1 and columns j0 to j1 (whole vectors) of the product of `a` with `b`, whose rows are `stride` apart.
template <class Finish>
__attribute__((noinline)) void product(Operand a, const float* b, long stride, int length, int i0, int i1, int j0,
                                       int j1, Finish finish) {
    for (int j = j0; j < j1;) {
        int left = (j1 - j) / LANES;
        if (left >= 3 && left != 4) {
            column<3>(a, b, stride, length, i0, i1, j, finish), j += 3 * LANES;
        } else if (left >= 2) {
            column<2>(a, b, stride, length, i0, i1, j, finish), j += 2 * LANES;
        } else {
            column<1>(a, b, stride, length, i0, i1, j, finish), j += LANES;
        }
    }
    if constexpr (Finish::lazy) finish.flush();
}

/// out = product, or out += product.
struct Accumulate {
    static constexpr bool lazy = false;
    float* out;
    long stride;
    bool first;
    INLINE Vector start(int i, int j) { return first ? Vector{} : load(out + i * stride + j); }
    INLINE void end(int i, int j, Vector v) { store(out + i * stride + j, v); }
};

enum Activation { LINEAR, RELU, TANH, SIGMOID };

INLINE Vector activate(int kind, Vector z) {
    if (kind == RELU) return at_least(z, 0.f);
    if (kind == SIGMOID) return logistic(z);
    if (kind == TANH) return hyperbolic_tangent(z);
    return z;
}

/// The gradient `d` by an activation's outputs `v` becomes the one by its inputs.
INLINE Vector sloped(int kind, Vector d, Vector v) {
    if (kind == RELU) return pick(v > 0.f, d, Vector{});
    if (kind == SIGMOID) return d * (v * (1.f - v));
    if (kind == TANH) return d * (1.f - v * v);
    return d;
}

/// Activation of product + bias; a unit is a row.
struct Forward {
    static constexpr bool lazy = false;
    const float* bias;
    float* out;
    long stride;
    int kind;
    INLINE Vector start(int i, int) { return splat(bias[i]); }
    INLINE void end(int i, int j, Vector v) { store(out + i * stride + j, activate(kind, v)); }
};

/// The product times the activation's slope, told from the activation `a`.
struct Backward {
    static constexpr bool lazy = false;
    const float* a;
    float* out;
    long stride;
    int kind;
    INLINE Vector start(int, int) { return Vector{}; }
    INLINE void end(int i, int j, Vector d) {
        store(out + i * stride + j, sloped(kind, d, load(a + i * stride + j)));
    }
};

/// Adam on a gradient that is never stored: a tile's sums are kept, and applied while the next tile is summed, so that
/// division and root run beside the products.
struct Adam {
    static constexpr bool lazy = true;
    float *value, *mean, *square;  // the weights and their two slots
    long stride;
    float alpha, c1, c2, epsilon;
    float l1, l2;  // factors of the penalty
    Vector* penalty;  // where the penalties of the weights before the update are summed; null without
    Vector kept[ROWS * 3];
    const Vector* gradient = kept;
    long at = 0;
    int vectors = 0, rows = 0, done = 0;  // of the kept tile; rows that are applied

    INLINE Vector start(int, int) { return Vector{}; }
    INLINE void apply(long at, Vector g) {
        Vector m = load(mean + at), v = load(square + at), w = load(value + at);
        if (penalty) {
            Vector magnitude = pick(w < 0.f, -w, w);
            *penalty += magnitude * (l1 + l2 * magnitude);
            g += pick(w > 0.f, splat(l1), pick(w < 0.f, splat(-l1), Vector{})) + w * (2.f * l2);
        }
        m += (g - m) * c1;
        v += (g * g - v) * c2;
        store(mean + at, m);
        store(square + at, v);
        store(value + at, w - alpha * m / (root(v) + epsilon));
    }
    INLINE void apply_kept(int n) { apply(at + n * LANES, gradient[n]); }
    INLINE void next_row() { at += stride, gradient += vectors, done++; }
    INLINE void fetch(int i, int j, int n) {
        long q = i * stride + j;
        for (int k = 0; k < n * LANES; k += 16)
            for (float* p : {value, mean, square}) __builtin_prefetch(p + q + k, 1);
    }
    INLINE void flush() {
        for (; done < rows; next_row())
            for (int n = 0; n < vectors; n++) apply_kept(n);
        rows = done = vectors = 0;
    }
    template <int M, int N>
    INLINE void keep(int i, int j, const Vector (&sum)[M][N]) {
        at = i * stride + j, gradient = kept, rows = M, vectors = N, done = 0;
#pragma GCC unroll 8
        for (int m = 0; m < M; m++)
#pragma GCC unroll 4
            for (int n = 0; n < N; n++) kept[m * N + n] = sum[m][n];
    }
};

}  // namespace
