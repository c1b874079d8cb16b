/* intrinsics.h: instructions and conversions that Swift cannot name, one line each. Private.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_INTRINSICS_H
#define ABACUS_INTRINSICS_H

#include <stdint.h>

/* Always: with -ffreestanding the compiler would otherwise refuse to inline C into Swift, whose
   functions lack that attribute. */
#define ABACUS_INTRINSIC static inline __attribute__((always_inline))

/* Swift's own Int64(x) counts as an allocation in Embedded mode on 32-bit targets. */
ABACUS_INTRINSIC int64_t abacus_widen(int32_t x) { return x; }

/* To the right by less than 32 bits, of which the compiler need not be made sure. */
ABACUS_INTRINSIC int32_t abacus_shift_right(int32_t x, int32_t bits) { return x >> bits; }

/* One SMULL, MULH + MUL or IMUL. */
ABACUS_INTRINSIC int64_t abacus_multiply_wide(int32_t a, int32_t b) { return (int64_t)a * b; }

/* To 8 and to 16 bits: SSAT, or two comparisons. */
#if defined(__ARM_FEATURE_SAT)
ABACUS_INTRINSIC int32_t abacus_saturate_byte(int32_t x) { return __builtin_arm_ssat(x, 8); }
ABACUS_INTRINSIC int32_t abacus_saturate_half(int32_t x) { return __builtin_arm_ssat(x, 16); }
#else
ABACUS_INTRINSIC int32_t abacus_saturate_byte(int32_t x) { return x < -128 ? -128 : x > 127 ? 127 : x; }
ABACUS_INTRINSIC int32_t abacus_saturate_half(int32_t x) { return x < -32768 ? -32768 : x > 32767 ? 32767 : x; }
#endif

#if defined(__ARM_FEATURE_DSP)
/* SXTB16: bytes 0 and 2, sign-extended to halfwords; with ROR 8, bytes 1 and 3. */
ABACUS_INTRINSIC uint32_t abacus_even_bytes(uint32_t x) { return (uint32_t)__builtin_arm_sxtb16((int32_t)x); }
ABACUS_INTRINSIC uint32_t abacus_odd_bytes(uint32_t x) { return (uint32_t)__builtin_arm_sxtb16((int32_t)(x >> 8 | x << 24)); }
/* SMLAD: both products of halfwords, added to a sum. */
ABACUS_INTRINSIC int32_t abacus_multiply_add_pairs(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlad((int32_t)a, (int32_t)b, sum); }
/* SMLABT, SMLATB: the bottom halfword of one times the top halfword of the other, added to a sum. */
ABACUS_INTRINSIC int32_t abacus_multiply_add_bottom_top(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlabt((int32_t)a, (int32_t)b, sum); }
ABACUS_INTRINSIC int32_t abacus_multiply_add_top_bottom(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlatb((int32_t)a, (int32_t)b, sum); }
/* LDM: three words, and the address moves on behind them. It wants ascending registers, so they are named. */
typedef struct { uint32_t a, b, c; } abacus_three_words;
ABACUS_INTRINSIC abacus_three_words abacus_load_three(const uint32_t *_Nonnull *_Nonnull from) { register uint32_t a __asm__("r3"), b __asm__("r4"), c __asm__("r5"); __asm__ volatile("ldmia %0!, {%1, %2, %3}" : "+r"(*from), "=r"(a), "=r"(b), "=r"(c) : : "memory"); return (abacus_three_words){a, b, c}; }
#endif


#if defined(__ARM_FEATURE_MVE)
#define __ARM_MVE_PRESERVE_USER_NAMESPACE
#include <arm_mve.h>

/* Vectors as Swift imports them: SIMD16<Int8>, SIMD8<Int16>, SIMD4<Int32>. */
typedef int8_t abacus_bytes __attribute__((vector_size(16)));
typedef int16_t abacus_halves __attribute__((vector_size(16)));
typedef int32_t abacus_words __attribute__((vector_size(16)));

/* VCTP: the lanes that hold one of the `count` elements that are left. */
ABACUS_INTRINSIC uint16_t abacus_byte_lanes(uint32_t count) { return __arm_vctp8q(count); }
ABACUS_INTRINSIC uint16_t abacus_half_lanes(uint32_t count) { return __arm_vctp16q(count); }
ABACUS_INTRINSIC uint16_t abacus_word_lanes(uint32_t count) { return __arm_vctp32q(count); }
/* VLDRB, as bytes or widened to halfwords; VLDRW at offsets in bytes. Other lanes are zero. */
ABACUS_INTRINSIC abacus_bytes abacus_load_bytes(const int8_t *from, uint16_t lanes) { return (abacus_bytes)__arm_vldrbq_z_s8(from, lanes); }
ABACUS_INTRINSIC abacus_halves abacus_load_halves(const int8_t *from, uint16_t lanes) { return (abacus_halves)__arm_vldrbq_z_s16(from, lanes); }
ABACUS_INTRINSIC abacus_words abacus_gather_words(const int32_t *from, abacus_words offsets, uint16_t lanes) { return (abacus_words)__arm_vldrwq_gather_offset_z_s32(from, (uint32x4_t)offsets, lanes); }
/* VSTRB: bytes, the lower byte of each halfword, or the lowest of each word. */
ABACUS_INTRINSIC void abacus_store_bytes(int8_t *to, abacus_bytes bytes, uint16_t lanes) { __arm_vstrbq_p_s8(to, (int8x16_t)bytes, lanes); }
ABACUS_INTRINSIC void abacus_store_halves(int8_t *to, abacus_halves halves, uint16_t lanes) { __arm_vstrbq_p_s16(to, (int16x8_t)halves, lanes); }
ABACUS_INTRINSIC void abacus_store_words(int8_t *to, abacus_words words, uint16_t lanes) { __arm_vstrbq_p_s32(to, (int32x4_t)words, lanes); }
/* VMLAVA: sixteen products, added to a sum. */
ABACUS_INTRINSIC int32_t abacus_add_products(int32_t sum, abacus_bytes a, abacus_bytes b, uint16_t lanes) { return __arm_vmladavaq_p_s8(sum, (int8x16_t)a, (int8x16_t)b, lanes); }
/* VMOVLB and VMOVLT: even and odd lanes, widened; VMOVNT: the opposite. */
ABACUS_INTRINSIC abacus_words abacus_even_halves(abacus_halves a) { return (abacus_words)__arm_vmovlbq_s16((int16x8_t)a); }
ABACUS_INTRINSIC abacus_words abacus_odd_halves(abacus_halves a) { return (abacus_words)__arm_vmovltq_s16((int16x8_t)a); }
ABACUS_INTRINSIC abacus_halves abacus_interleave(abacus_words even, abacus_words odd) { return (abacus_halves)__arm_vmovntq_s32((int16x8_t)even, (int32x4_t)odd); }
/* VMULH: high words of products. VRSHL: to the right by `bits`, half up. */
ABACUS_INTRINSIC abacus_words abacus_multiply_high(abacus_words a, abacus_words b) { return (abacus_words)__arm_vmulhq_s32((int32x4_t)a, (int32x4_t)b); }
ABACUS_INTRINSIC abacus_words abacus_round_right(abacus_words a, int32_t bits) { return (abacus_words)__arm_vrshlq_n_s32((int32x4_t)a, -bits); }
#endif

#endif /* ABACUS_INTRINSICS_H */
