// Vectors of LANES floats: loads, masks, exp, log, root, transposition.
#pragma once
#include <immintrin.h>

#include <cstdint>
#include <utility>

#define INLINE inline __attribute__((always_inline))

namespace {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#else
constexpr int LANES = 8;
#endif

typedef float Vector __attribute__((vector_size(4 * LANES)));
typedef int32_t Mask __attribute__((vector_size(4 * LANES)));  // also whole numbers; of a comparison 0 or -1

INLINE Vector load(const float* p) { return *(const Vector*)p; }
INLINE void store(float* p, Vector v) { *(Vector*)p = v; }
INLINE Vector splat(float f) { return f - Vector{}; }
/// 0, 1, 2, ...
INLINE Mask numbers() {
    Mask lane{};
    for (int i = 0; i < LANES; i++) lane[i] = i;
    return lane;
}
/// A bit for each number that is not 0.
INLINE uint16_t bits_of(Mask mask) {
#if defined(__AVX512F__)
    return _mm512_movepi32_mask((__m512i)mask);
#else
    return uint16_t(_mm256_movemask_ps((__m256)mask));
#endif
}
INLINE Mask mask_of(uint16_t bits) { return ((Mask{} + bits) & ((Mask{} + 1) << numbers())) != 0; }
INLINE Vector pick(Mask mask, Vector a, Vector b) { return mask ? a : b; }

// A NaN in `v` stays: the comparison with it is false.
INLINE Vector at_least(Vector v, float low) { return pick(v < low, splat(low), v); }
INLINE Vector at_most(Vector v, float high) { return pick(v > high, splat(high), v); }

INLINE Vector root(Vector v) {
#if defined(__AVX512F__)
    return (Vector)_mm512_sqrt_ps((__m512)v);
#else
    return (Vector)_mm256_sqrt_ps((__m256)v);
#endif
}

/// exp(x) = 2^n exp(r), |r| <= log(2) / 2, by a polynomial (Cephes). Clamped to the normal numbers; NaN stays.
INLINE Vector exponential(Vector x) {
    x = at_most(at_least(x, -87.3f), 88.3f);
    Vector n = x * 1.44269504f + 12582912.f;  // the sum's last bits hold the rounded number
    Mask power = (Mask)n - 0x4B400000;
    n -= 12582912.f;
    x = x - n * 0.693359375f + n * 2.12194440e-4f;
    Vector p = splat(1.9875691500e-4f);
    p = p * x + 1.3981999507e-3f;
    p = p * x + 8.3334519073e-3f;
    p = p * x + 4.1665795894e-2f;
    p = p * x + 1.6666665459e-1f;
    p = p * x + 5.0000001201e-1f;
    p = p * x * x + x + 1.f;
    return p * (Vector)((power + 127) << 23);
}

/// log(x) = n log(2) + log(m), m from sqrt(1/2) to sqrt(2), by a polynomial (Cephes). For normal x > 0; NaN stays.
INLINE Vector logarithm(Vector x) {
    Mask bits = (Mask)x;
    Vector n = __builtin_convertvector((bits >> 23) - 126, Vector);
    Vector m = (Vector)((bits & 0x7fffff) | 0x3f000000);
    Mask low = m < 0.707106781f;
    n = pick(low, n - 1.f, n);
    m = pick(low, m + m, m) - 1.f;
    Vector square = m * m, p = splat(7.0376836292e-2f);
    for (float c : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f, -1.6668057665e-1f,
                    2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f})
        p = p * m + c;
    Vector y = m * square * p - n * 2.12194440e-4f - square * 0.5f;
    return pick(x == x, m + y + n * 0.693359375f, x);
}

/// log(1 + x) for x >= 0, exact for small x too.
INLINE Vector logarithm_1p(Vector x) {
    Vector sum = 1.f + x, rounded = sum - 1.f;
    Mask none = rounded == 0.f;
    return pick(none, x, logarithm(sum) * x / pick(none, splat(1), rounded));
}

/// tanh: near 0 by a polynomial (Cephes), elsewhere by exp.
INLINE Vector hyperbolic_tangent(Vector x) {
    Vector square = x * x, p = splat(-5.70498872745e-3f);
    for (float c : {2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f, -3.33332819422e-1f}) p = p * square + c;
    Vector far = 1.f - 2.f / (exponential(2.f * x) + 1.f);
    return pick((x < 0.625f) & (x > -0.625f), p * square * x + x, far);
}

INLINE Vector logistic(Vector x) { return 1.f / (1.f + exponential(-x)); }

template <int STEP, size_t... Q>
INLINE void exchange(Vector& a, Vector& b, std::index_sequence<Q...>) {
    Vector low = __builtin_shufflevector(a, b, ((Q & STEP) ? LANES + (Q - STEP) : Q)...);
    b = __builtin_shufflevector(a, b, ((Q & STEP) ? LANES + Q : Q + STEP)...);
    a = low;
}

/// Transposes LANES rows in place.
template <int STEP = 1>
INLINE void transpose(Vector* rows) {
    if constexpr (STEP < LANES) {
#pragma GCC unroll 16
        for (int i = 0; i < LANES; i++)
            if (!(i & STEP)) exchange<STEP>(rows[i], rows[i + STEP], std::make_index_sequence<LANES>());
        transpose<2 * STEP>(rows);
    }
}

}  // namespace
