/* intrinsics-arm64.h: vector instructions of AArch64, one line each, for the module that is compiled for
 * SDOT. Private.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_INTRINSICS_ARM64_H
#define ABACUS_INTRINSICS_ARM64_H

#include "intrinsics.h"

#if defined(__aarch64__)

/* The register that tells of SDOT; Linux lets programs read it. */
#if !defined(__APPLE__)
ABACUS_INTRINSIC uint64_t abacus_instruction_features(void) { uint64_t x; __asm__("mrs %0, ID_AA64ISAR0_EL1" : "=r"(x)); return x; }
#endif

#if defined(__ARM_FEATURE_DOTPROD)
#include <arm_neon.h>

/* Vectors as Swift imports them: SIMD4<Int32>, SIMD8<Int16>, SIMD4<UInt32>. */
typedef int32_t abacus_words __attribute__((vector_size(16)));
typedef int16_t abacus_halves __attribute__((vector_size(16)));
typedef uint32_t abacus_four_words __attribute__((vector_size(16)));
#define ABACUS_WORDS(x) ((abacus_words)(x))
#define ABACUS_BITS(x) ((int32x4_t)(x))

ABACUS_INTRINSIC abacus_words abacus_splat(int32_t x) { return ABACUS_WORDS(vdupq_n_s32(x)); }
/* 16 bytes; the first `count` of them, the others zero; four bytes in every word. */
ABACUS_INTRINSIC abacus_words abacus_load(const void *from) { return ABACUS_WORDS(vld1q_s8((const int8_t *)from)); }
ABACUS_INTRINSIC abacus_words abacus_load_first(const void *from, uint32_t count) { abacus_words x = {0}; __builtin_memcpy(&x, from, count); return x; }
ABACUS_INTRINSIC abacus_words abacus_splat_word(const void *from) { int32_t x; __builtin_memcpy(&x, from, 4); return abacus_splat(x); }
/* SDOT: four products of bytes. */
ABACUS_INTRINSIC abacus_words abacus_add_quads(abacus_words sums, abacus_words a, abacus_words b) { return ABACUS_WORDS(vdotq_s32(ABACUS_BITS(sums), (int8x16_t)a, (int8x16_t)b)); }
/* Every other word of two vectors: the first of each pair, the second. */
ABACUS_INTRINSIC abacus_words abacus_firsts(abacus_words a, abacus_words b) { return ABACUS_WORDS(vuzp1q_s32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_seconds(abacus_words a, abacus_words b) { return ABACUS_WORDS(vuzp2q_s32(ABACUS_BITS(a), ABACUS_BITS(b))); }
/* The sum of all words of each. */
ABACUS_INTRINSIC abacus_words abacus_sums_of_two(abacus_words a, abacus_words b) { return ABACUS_WORDS(vpaddq_s32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_sums_of_four(abacus_words a, abacus_words b, abacus_words c, abacus_words d) { return abacus_sums_of_two(abacus_sums_of_two(a, b), abacus_sums_of_two(c, d)); }
ABACUS_INTRINSIC abacus_words abacus_add(abacus_words a, abacus_words b) { return ABACUS_WORDS(vaddq_s32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_subtract(abacus_words a, abacus_words b) { return ABACUS_WORDS(vsubq_s32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_minimum(abacus_words a, abacus_words b) { return ABACUS_WORDS(vminq_s32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_maximum(abacus_words a, abacus_words b) { return ABACUS_WORDS(vmaxq_s32(ABACUS_BITS(a), ABACUS_BITS(b))); }
/* To the left, or to the right by less than zero. */
ABACUS_INTRINSIC abacus_words abacus_shift_words(abacus_words a, int32_t bits) { return ABACUS_WORDS(vshlq_s32(ABACUS_BITS(a), vdupq_n_s32(bits))); }
/* High words of products; of a summand and two products. */
ABACUS_INTRINSIC abacus_words abacus_high_words(int64x2_t low, int64x2_t high) { return abacus_seconds(ABACUS_WORDS(low), ABACUS_WORDS(high)); }
ABACUS_INTRINSIC abacus_words abacus_multiply_high_words(abacus_words a, abacus_words b) { return abacus_high_words(vmull_s32(vget_low_s32(ABACUS_BITS(a)), vget_low_s32(ABACUS_BITS(b))), vmull_high_s32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC int64x2_t abacus_low_sums(abacus_words a, abacus_words m, int64x2_t sums) { return vmlal_s32(sums, vget_low_s32(ABACUS_BITS(a)), vget_low_s32(ABACUS_BITS(m))); }
ABACUS_INTRINSIC int64x2_t abacus_high_sums(abacus_words a, abacus_words m, int64x2_t sums) { return vmlal_high_s32(sums, ABACUS_BITS(a), ABACUS_BITS(m)); }
ABACUS_INTRINSIC abacus_words abacus_sums_high(abacus_words a, abacus_words m, abacus_words b, abacus_words n, int64_t summand) { return abacus_high_words(abacus_low_sums(a, m, abacus_low_sums(b, n, vdupq_n_s64(summand))), abacus_high_sums(a, m, abacus_high_sums(b, n, vdupq_n_s64(summand)))); }
/* Eight bytes, widened to halves; the first `count` of them. Four, to words. */
ABACUS_INTRINSIC abacus_halves abacus_load_halves(const int8_t *from) { return (abacus_halves)vmovl_s8(vld1_s8(from)); }
ABACUS_INTRINSIC abacus_halves abacus_load_first_halves(const int8_t *from, uint32_t count) { return (abacus_halves)vmovl_s8(vget_low_s8((int8x16_t)abacus_load_first(from, count))); }
ABACUS_INTRINSIC abacus_halves abacus_load_shorts(const int16_t *from) { return (abacus_halves)vld1q_s16(from); }
ABACUS_INTRINSIC abacus_halves abacus_load_first_shorts(const int16_t *from, uint32_t count) { return (abacus_halves)abacus_load_first(from, 2 * count); }
ABACUS_INTRINSIC void abacus_store_words(int32_t *to, abacus_words a) { vst1q_s32(to, ABACUS_BITS(a)); }
ABACUS_INTRINSIC abacus_halves abacus_no_halves(void) { return (abacus_halves)vdupq_n_s16(0); }
ABACUS_INTRINSIC abacus_words abacus_widen_first_bytes(const int8_t *from, uint32_t count) { return ABACUS_WORDS(vmovl_s16(vget_low_s16((int16x8_t)abacus_load_first_halves(from, count)))); }
/* Products of the lower four halves, and of the upper four, added to sums. */
ABACUS_INTRINSIC abacus_words abacus_add_low(abacus_words sums, abacus_halves a, abacus_halves b) { return ABACUS_WORDS(vmlal_s16(ABACUS_BITS(sums), vget_low_s16((int16x8_t)a), vget_low_s16((int16x8_t)b))); }
ABACUS_INTRINSIC abacus_words abacus_add_high(abacus_words sums, abacus_halves a, abacus_halves b) { return ABACUS_WORDS(vmlal_high_s16(ABACUS_BITS(sums), (int16x8_t)a, (int16x8_t)b)); }
/* The lowest bytes of words of two vectors, which are in their range, one after the other. */
ABACUS_INTRINSIC abacus_four_words abacus_narrow(abacus_words low, abacus_words high) { return (abacus_four_words)vcombine_s8(vmovn_s16(vmovn_high_s32(vmovn_s32(ABACUS_BITS(low)), ABACUS_BITS(high))), vdup_n_s8(0)); }
ABACUS_INTRINSIC void abacus_store_first(int8_t *to, abacus_words low, abacus_words high, uint32_t count) { abacus_four_words x = abacus_narrow(low, high); __builtin_memcpy(to, &x, count); }
#endif

#endif /* __aarch64__ */

#endif /* ABACUS_INTRINSICS_ARM64_H */
