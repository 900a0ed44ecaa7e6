// Threefry-2x32 (Salmon et al. 2011), LANES blocks at a time, as JAX draws with it: gazelle/random/_threefry.py.
#pragma once
#include "simd.h"

namespace {

typedef uint32_t Bits __attribute__((vector_size(4 * LANES)));

/// The exclusive or of both words of the blocks numbered (0, x[i]), instead of x[i].
template <int N>
INLINE void threefry(uint32_t first, uint32_t second, Bits* x) {
    constexpr int distances[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
    const uint32_t keys[3] = {first, second, first ^ second ^ 0x1BD11BDAu};
    Bits a[N], b[N];
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) a[i] = Bits{} + keys[0], b[i] = x[i] + keys[1];
#pragma GCC unroll 8
    for (int group = 0; group < 5; group++) {
#pragma GCC unroll 4
        for (int distance : distances[group % 2])
#pragma GCC unroll 8
            for (int i = 0; i < N; i++) {
                a[i] += b[i];
                b[i] = a[i] ^ (b[i] << distance | b[i] >> (32 - distance));
            }
#pragma GCC unroll 8
        for (int i = 0; i < N; i++) {
            a[i] += keys[(group + 1) % 3];
            b[i] += keys[(group + 2) % 3] + uint32_t(group + 1);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < N; i++) x[i] = a[i] ^ b[i];
}

/// Random bits as floats from 0 to less than 1: 23 of them behind the one of a float from 1 to 2.
INLINE Vector unit_interval(Bits bits) { return (Vector)(bits >> 9 | 0x3F800000u) - 1.f; }

}  // namespace
