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
ABACUS_INTRINSIC int32_t abacus_word_right(int32_t x, int32_t bits) { return x >> bits; }

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

#if defined(__ARM_ARCH_7M__)
/* LDM: four words, and the address moves on behind them. It wants ascending registers, so they are named. */
typedef struct { int32_t a, b, c, d; } abacus_four_words;
ABACUS_INTRINSIC abacus_four_words abacus_load_four(const int32_t *_Nonnull *_Nonnull from) { register int32_t a __asm__("r3"), b __asm__("r4"), c __asm__("r5"), d __asm__("r6"); __asm__ volatile("ldmia %0!, {%1, %2, %3, %4}" : "+r"(*from), "=r"(a), "=r"(b), "=r"(c), "=r"(d) : : "memory"); return (abacus_four_words){a, b, c, d}; }
#endif

#if defined(__ARM_FEATURE_DSP)
/* SXTB16: bytes 0 and 2, sign-extended to halfwords; with ROR 8, bytes 1 and 3. */
ABACUS_INTRINSIC uint32_t abacus_even_bytes(uint32_t x) { return (uint32_t)__builtin_arm_sxtb16((int32_t)x); }
ABACUS_INTRINSIC uint32_t abacus_odd_bytes(uint32_t x) { return (uint32_t)__builtin_arm_sxtb16((int32_t)(x >> 8 | x << 24)); }
/* SXTAB16: the same, added to halfwords. */
ABACUS_INTRINSIC uint32_t abacus_add_even_bytes(uint32_t sums, uint32_t x) { return (uint32_t)__builtin_arm_sxtab16((int32_t)sums, (int32_t)x); }
ABACUS_INTRINSIC uint32_t abacus_add_odd_bytes(uint32_t sums, uint32_t x) { return (uint32_t)__builtin_arm_sxtab16((int32_t)sums, (int32_t)(x >> 8 | x << 24)); }
/* SMMLA, ASR, SSAT: a sum times its multiplier, the high word of it, to 8 bits. One statement, so that six of them in a row
   keep their order, and with it registers. */
ABACUS_INTRINSIC int32_t abacus_requantize_byte(int32_t sum, int32_t multiplier, int32_t summand, int32_t shift) { __asm__("smmla %0, %0, %1, %2\n" "asr.w %0, %0, %3\n" "ssat %0, #8, %0" : "+r"(sum) : "r"(multiplier), "r"(summand), "r"(shift)); return sum; }
/* SMMLA: the high word of a product, added to a sum. */
ABACUS_INTRINSIC int32_t abacus_add_high_product(int32_t sum, int32_t a, int32_t b) { int32_t result; __asm__("smmla %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum)); return result; }
/* A sum of two words to the right by 32 - lift bits, 17 to 32, saturated to 16 bits: SSAT, LSL, LSR, ORR, SSAT. Beyond 17
   bits the high word saturates anyway. */
ABACUS_INTRINSIC int32_t abacus_saturate_wide(int64_t sum, uint32_t shift, uint32_t lift) { int32_t high = (int32_t)(sum >> 32); uint32_t low = (uint32_t)sum; __asm__("ssat %0, #17, %0\n" "lsl.w %0, %0, %3\n" "lsr.w %1, %1, %2\n" "orr.w %0, %0, %1\n" "ssat %0, #16, %0" : "+r"(high), "+r"(low) : "r"(shift), "r"(lift)); return high; }
/* 2^-t on Q15, at most 32767 (exponentQ15), of a difference below 16 octaves that its multiplier takes to Q24; half a step
   and 14 octaves come on top. One statement, because compilers take more registers. */
ABACUS_INTRINSIC uint32_t abacus_exponent(uint32_t d, uint32_t lift, int32_t multiplier, uint32_t summand) {
  uint32_t f, u, w;
  __asm__(
    "lsl.w %0, %0, %4\n" "smmla %0, %0, %5, %6\n" "ubfx %1, %0, #8, #16\n" "lsr.w %0, %0, #24\n"
    /* f(1-f)(49-10f)/256: f in steps of 2^-16, and the last factor by halves in steps of 2^-22. */
    "rsb.w %2, %1, #0x10000\n" "mul %2, %2, %1\n" "add.w %3, %1, %1, lsl #2\n" "rsb.w %3, %3, #0x188000\n" "lsl.w %3, %3, #7\n"
    "umull %2, %3, %3, %2\n" "add.w %3, %3, %1, lsl #13\n" "rsb.w %3, %3, #0x40000000\n"
    "lsr.w %0, %3, %0\n" "add.w %0, %0, #1\n" "usat %0, #15, %0, asr #1\n"
    : "+r"(d), "=&r"(f), "=&r"(u), "=&r"(w) : "r"(lift), "r"(multiplier), "r"(summand));
  return d;
}
/* USAT: a magnitude to 15 bits. */
ABACUS_INTRINSIC int32_t abacus_saturate_magnitude(int32_t x) { return __builtin_arm_usat(x, 15); }
/* SMLALD: both products of halfwords, added to a sum of two words. */
ABACUS_INTRINSIC int64_t abacus_multiply_add_pairs_wide(uint32_t a, uint32_t b, int64_t sum) { return __builtin_arm_smlald((int32_t)a, (int32_t)b, sum); }
/* SMLAD: both products of halfwords, added to a sum. */
ABACUS_INTRINSIC int32_t abacus_multiply_add_pairs(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlad((int32_t)a, (int32_t)b, sum); }
/* SMLABB, SMLATT, SMLABT, SMLATB: bottom or top halfword of one times bottom or top of the other, added to a sum. */
ABACUS_INTRINSIC int32_t abacus_multiply_add_bottoms(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlabb((int32_t)a, (int32_t)b, sum); }
ABACUS_INTRINSIC int32_t abacus_multiply_add_tops(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlatt((int32_t)a, (int32_t)b, sum); }
ABACUS_INTRINSIC int32_t abacus_multiply_add_bottom_top(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlabt((int32_t)a, (int32_t)b, sum); }
ABACUS_INTRINSIC int32_t abacus_multiply_add_top_bottom(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlatb((int32_t)a, (int32_t)b, sum); }
/* LDM: words, behind which the address then is, but for the one that peeks. It wants ascending registers, so they are
   named. */
typedef struct { uint32_t a, b, c; } abacus_three_words;
typedef struct { uint32_t a, b, c, d; } abacus_four_words;
ABACUS_INTRINSIC abacus_three_words abacus_load_three(const uint32_t *_Nonnull *_Nonnull from) { register uint32_t a __asm__("r3"), b __asm__("r4"), c __asm__("r5"); __asm__ volatile("ldmia %0!, {%1, %2, %3}" : "+r"(*from), "=r"(a), "=r"(b), "=r"(c) : : "memory"); return (abacus_three_words){a, b, c}; }
ABACUS_INTRINSIC abacus_three_words abacus_peek_three(const uint32_t *_Nonnull from) { register uint32_t a __asm__("r3"), b __asm__("r4"), c __asm__("r5"); __asm__ volatile("ldm %3, {%0, %1, %2}" : "=r"(a), "=r"(b), "=r"(c) : "r"(from) : "memory"); return (abacus_three_words){a, b, c}; }
ABACUS_INTRINSIC abacus_four_words abacus_load_four(const uint32_t *_Nonnull *_Nonnull from) { register uint32_t a __asm__("r3"), b __asm__("r4"), c __asm__("r5"), d __asm__("r6"); __asm__ volatile("ldmia %0!, {%1, %2, %3, %4}" : "+r"(*from), "=r"(a), "=r"(b), "=r"(c), "=r"(d) : : "memory"); return (abacus_four_words){a, b, c, d}; }
ABACUS_INTRINSIC abacus_four_words abacus_load_four_weights(const uint32_t *_Nonnull *_Nonnull from) { register uint32_t a __asm__("r8"), b __asm__("r9"), c __asm__("r11"), d __asm__("r12"); __asm__ volatile("ldmia %0!, {%1, %2, %3, %4}" : "+r"(*from), "=r"(a), "=r"(b), "=r"(c), "=r"(d) : : "memory"); return (abacus_four_words){a, b, c, d}; }
/* Four elements of three rows (a, b, c) by two channels, added to six sums: LDRD of weights, LDM of elements, SXTB16 and
   SMLAD. One statement, because it needs all of the 14 registers, and compilers that allocate them run out. */
ABACUS_INTRINSIC void abacus_add_quad(int32_t *_Nonnull a0, int32_t *_Nonnull b0, int32_t *_Nonnull c0, int32_t *_Nonnull a1, int32_t *_Nonnull b1, int32_t *_Nonnull c1, const uint32_t *_Nonnull *_Nonnull x, const uint32_t *_Nonnull *_Nonnull w) {
  __asm__ volatile(
    "ldrd r6, r7, [%7], #8\n"
    "ldmia %6!, {r3, r4, r5}\n"
    "sxtb16 r12, r6\n" "smlad %0, r3, r12, %0\n" "smlad %1, r4, r12, %1\n" "smlad %2, r5, r12, %2\n"
    "sxtb16 r6, r6, ror #8\n" "smlad %3, r3, r6, %3\n" "smlad %4, r4, r6, %4\n" "smlad %5, r5, r6, %5\n"
    "ldmia %6!, {r3, r4, r5}\n"
    "sxtb16 r12, r7\n" "smlad %0, r3, r12, %0\n" "smlad %1, r4, r12, %1\n" "smlad %2, r5, r12, %2\n"
    "sxtb16 r7, r7, ror #8\n" "smlad %3, r3, r7, %3\n" "smlad %4, r4, r7, %4\n" "smlad %5, r5, r7, %5\n"
    : "+r"(*a0), "+r"(*b0), "+r"(*c0), "+r"(*a1), "+r"(*b1), "+r"(*c1), "+r"(*x), "+r"(*w)
    : : "r3", "r4", "r5", "r6", "r7", "r12", "memory");
}

/* Codes of 4 or 2 bits of two channels: a word of each (LDRD) times the elements of one row, two codes at a time, which one AND
   takes out as it shifts. One statement, so that elements can come by LDM without other registers moving. */
#define ABACUS_CODES_ONE(shift0, shift1, shift2, shift3) \
    "ldmia %2!, {r3, r4, r5, r6}\n" \
    "and.w r12, %4, r8, lsr #" shift0 "\n" "smlad %0, r3, r12, %0\n" "and.w r12, %4, r9, lsr #" shift0 "\n" "smlad %1, r3, r12, %1\n" \
    "and.w r12, %4, r8, lsr #" shift1 "\n" "smlad %0, r4, r12, %0\n" "and.w r12, %4, r9, lsr #" shift1 "\n" "smlad %1, r4, r12, %1\n" \
    "and.w r12, %4, r8, lsr #" shift2 "\n" "smlad %0, r5, r12, %0\n" "and.w r12, %4, r9, lsr #" shift2 "\n" "smlad %1, r5, r12, %1\n" \
    "and.w r12, %4, r8, lsr #" shift3 "\n" "smlad %0, r6, r12, %0\n" "and.w r12, %4, r9, lsr #" shift3 "\n" "smlad %1, r6, r12, %1\n"
#define ABACUS_CODES_OF_ONE_ROW(name, codes) \
  ABACUS_INTRINSIC void name(int32_t *_Nonnull a0, int32_t *_Nonnull a1, const uint32_t *_Nonnull *_Nonnull x, const uint32_t *_Nonnull *_Nonnull w, uint32_t mask) { \
    __asm__ volatile("ldrd r8, r9, [%3], #8\n" codes : "+r"(*a0), "+r"(*a1), "+r"(*x), "+r"(*w) : "r"(mask) : "r3", "r4", "r5", "r6", "r8", "r9", "r12", "memory"); \
  }
ABACUS_CODES_OF_ONE_ROW(abacus_add_four_bits_of_one, ABACUS_CODES_ONE("0", "4", "8", "12"))
ABACUS_CODES_OF_ONE_ROW(abacus_add_two_bits_of_one, ABACUS_CODES_ONE("0", "2", "4", "6") ABACUS_CODES_ONE("8", "10", "12", "14"))

/* Whole groups of 32 codes, one after the other without counting words: totals of two channels, how far the scales of the
   second are from those of the first, where the next group's first summand is, and where the last group's words end. It needs
   all of the 14 registers; so what is wanted once a group lies in memory. */
typedef struct { int32_t a0, a1; uint32_t stride; const int32_t *_Nonnull starts; const uint32_t *_Nonnull end; } abacus_group_walk;
#define ABACUS_WALK_FOUR(x, w) \
    "ldrd r8, r9, [" w "], #8\n" ABACUS_WALK_CODES(x, "0", "4", "8", "12")
#define ABACUS_WALK_TWO(x, w) \
    "ldrd r8, r9, [" w "], #8\n" ABACUS_WALK_CODES(x, "0", "2", "4", "6") ABACUS_WALK_CODES(x, "8", "10", "12", "14")
#define ABACUS_WALK_CODES(x, shift0, shift1, shift2, shift3) \
    "ldmia " x "!, {r3, r4, r5, r6}\n" \
    "and.w r12, %6, r8, lsr #" shift0 "\n" "smlad %3, r3, r12, %3\n" "and.w r12, %6, r9, lsr #" shift0 "\n" "smlad %4, r3, r12, %4\n" \
    "and.w r12, %6, r8, lsr #" shift1 "\n" "smlad %3, r4, r12, %3\n" "and.w r12, %6, r9, lsr #" shift1 "\n" "smlad %4, r4, r12, %4\n" \
    "and.w r12, %6, r8, lsr #" shift2 "\n" "smlad %3, r5, r12, %3\n" "and.w r12, %6, r9, lsr #" shift2 "\n" "smlad %4, r5, r12, %4\n" \
    "and.w r12, %6, r8, lsr #" shift3 "\n" "smlad %3, r6, r12, %3\n" "and.w r12, %6, r9, lsr #" shift3 "\n" "smlad %4, r6, r12, %4\n"
#define ABACUS_GROUPS_OF_ONE_ROW(name, group) \
  ABACUS_INTRINSIC void name(const uint32_t *_Nonnull *_Nonnull x, const uint32_t *_Nonnull *_Nonnull w, const uint8_t *_Nonnull *_Nonnull scales, abacus_group_walk *_Nonnull walk, uint32_t mask) { \
    int32_t a0, a1; \
    __asm__ volatile( \
      "ldr r6, [%5, #12]\n" \
      "1:\n" "ldr %3, [r6], #4\n" "str r6, [%5, #12]\n" "mov %4, %3\n" \
      group \
      "ldm %5, {r3, r4, r5, r6, r8}\n" "ldrb r12, [%2, r5]\n" "ldrb r5, [%2], #1\n" \
      "mla r4, %4, r12, r4\n" "mla r3, %3, r5, r3\n" "strd r3, r4, [%5]\n" "cmp %1, r8\n" "bne 1b\n" \
      : "+r"(*x), "+r"(*w), "+r"(*scales), "=&r"(a0), "=&r"(a1) : "r"(walk), "r"(mask) \
      : "r3", "r4", "r5", "r6", "r8", "r9", "r12", "cc", "memory"); \
  }
ABACUS_GROUPS_OF_ONE_ROW(abacus_add_groups_of_four_bits, ABACUS_WALK_FOUR("%0", "%1") ABACUS_WALK_FOUR("%0", "%1") ABACUS_WALK_FOUR("%0", "%1") ABACUS_WALK_FOUR("%0", "%1"))
ABACUS_GROUPS_OF_ONE_ROW(abacus_add_groups_of_two_bits, ABACUS_WALK_TWO("%0", "%1") ABACUS_WALK_TWO("%0", "%1"))

/* The same of three rows. No register is left for a mask, and AND with a constant does not shift. */
#define ABACUS_CODES_THREE(mask) \
    "ldmia %6!, {r3, r4, r5}\n" \
    "and r12, r8, #" mask "\n" "smlad %0, r3, r12, %0\n" "smlad %1, r4, r12, %1\n" "smlad %2, r5, r12, %2\n" \
    "and r12, r9, #" mask "\n" "smlad %3, r3, r12, %3\n" "smlad %4, r4, r12, %4\n" "smlad %5, r5, r12, %5\n"
#define ABACUS_CODES_NEXT(bits) "lsrs.w r8, r8, #" bits "\n" "lsrs.w r9, r9, #" bits "\n"
#define ABACUS_CODES_OF_THREE_ROWS(name, codes) \
  ABACUS_INTRINSIC void name(int32_t *_Nonnull a0, int32_t *_Nonnull b0, int32_t *_Nonnull c0, int32_t *_Nonnull a1, int32_t *_Nonnull b1, int32_t *_Nonnull c1, const uint32_t *_Nonnull *_Nonnull x, const uint32_t *_Nonnull *_Nonnull w) { \
    __asm__ volatile("ldrd r8, r9, [%7], #8\n" codes : "+r"(*a0), "+r"(*b0), "+r"(*c0), "+r"(*a1), "+r"(*b1), "+r"(*c1), "+r"(*x), "+r"(*w) : : "r3", "r4", "r5", "r8", "r9", "r12", "cc", "memory"); \
  }
#define ABACUS_FOUR_BITS ABACUS_CODES_THREE("0x000f000f") ABACUS_CODES_NEXT("4")
#define ABACUS_TWO_BITS ABACUS_CODES_THREE("0x00030003") ABACUS_CODES_NEXT("2")
ABACUS_CODES_OF_THREE_ROWS(abacus_add_four_bits_of_three, ABACUS_FOUR_BITS ABACUS_FOUR_BITS ABACUS_FOUR_BITS ABACUS_CODES_THREE("0x000f000f"))
ABACUS_CODES_OF_THREE_ROWS(abacus_add_two_bits_of_three, ABACUS_TWO_BITS ABACUS_TWO_BITS ABACUS_TWO_BITS ABACUS_TWO_BITS ABACUS_TWO_BITS ABACUS_TWO_BITS ABACUS_TWO_BITS ABACUS_CODES_THREE("0x00030003"))
#endif


#if defined(__ARM_FEATURE_MVE)
#define __ARM_MVE_PRESERVE_USER_NAMESPACE
#include <arm_mve.h>

#pragma clang assume_nonnull begin

/* Vectors as Swift imports them: SIMD16<Int8>, SIMD8<Int16>, SIMD4<Int32>. */
typedef int8_t abacus_bytes __attribute__((vector_size(16)));
typedef int16_t abacus_halves __attribute__((vector_size(16)));
typedef int32_t abacus_words __attribute__((vector_size(16)));

/* VCTP: the lanes that hold one of the `count` elements that are left. */
ABACUS_INTRINSIC uint16_t abacus_byte_lanes(uint32_t count) { return __arm_vctp8q(count); }
/* VLDRB: bytes, zero in other lanes; all sixteen; eight widened to halfwords. */
ABACUS_INTRINSIC abacus_bytes abacus_load_all_bytes(const int8_t *from) { return (abacus_bytes)__arm_vldrbq_s8(from); }
ABACUS_INTRINSIC abacus_halves abacus_load_halves(const int8_t *from) { return (abacus_halves)__arm_vldrbq_s16(from); }
ABACUS_INTRINSIC abacus_bytes abacus_load_bytes(const int8_t *from, uint16_t lanes) { return (abacus_bytes)__arm_vldrbq_z_s8(from, lanes); }
/* VLDRB: four bytes widened to words, with and without sign. */
ABACUS_INTRINSIC abacus_words abacus_load_words(const int8_t *from) { return (abacus_words)__arm_vldrbq_s32(from); }
ABACUS_INTRINSIC abacus_words abacus_load_unsigned_words(const int8_t *from) { return (abacus_words)__arm_vldrbq_u32((const uint8_t *)from); }
/* VSLI: words of three bytes, and their fourth. */
ABACUS_INTRINSIC abacus_words abacus_join_bytes(abacus_words first, abacus_words second, abacus_words third) { return (abacus_words)__arm_vsliq_n_s32(__arm_vsliq_n_s32((int32x4_t)first, (int32x4_t)second, 8), (int32x4_t)third, 16); }
ABACUS_INTRINSIC abacus_words abacus_set_top_bytes(abacus_words first, abacus_words fourth) { return (abacus_words)__arm_vsliq_n_s32((int32x4_t)first, (int32x4_t)fourth, 24); }
/* VSHL: each word by one byte. */
ABACUS_INTRINSIC abacus_bytes abacus_shift_bytes_up(abacus_bytes a) { return (abacus_bytes)__arm_vshlq_n_s32((int32x4_t)a, 8); }
/* VSTRW at offsets in bytes. */
ABACUS_INTRINSIC void abacus_scatter_whole_words(int8_t *to, abacus_words offsets, abacus_words words) { __arm_vstrwq_scatter_offset_s32((int32_t *)to, (uint32x4_t)offsets, (int32x4_t)words); }
/* VSTRB: bytes, the lower byte of each halfword, or the lowest of each word. */
ABACUS_INTRINSIC void abacus_store_bytes(int8_t *to, abacus_bytes bytes, uint16_t lanes) { __arm_vstrbq_p_s8(to, (int8x16_t)bytes, lanes); }
ABACUS_INTRINSIC void abacus_store_all_bytes(int8_t *to, abacus_bytes bytes) { __arm_vstrbq_s8(to, (int8x16_t)bytes); }
ABACUS_INTRINSIC void abacus_store_halves(int8_t *to, abacus_halves halves) { __arm_vstrbq_s16(to, (int16x8_t)halves); }
ABACUS_INTRINSIC void abacus_store_all_words(int8_t *to, abacus_words words) { __arm_vstrbq_s32(to, (int32x4_t)words); }
/* VLD2 and VLD4: neighbouring words, the first ones, the second ones and so on. */
typedef struct { abacus_words first, second; } abacus_word_pairs;
ABACUS_INTRINSIC abacus_word_pairs abacus_load_pairs(const int32_t *from) { int32x4x2_t pairs = __arm_vld2q_s32(from); return (abacus_word_pairs){(abacus_words)pairs.val[0], (abacus_words)pairs.val[1]}; }
typedef struct { abacus_words first, second, third, fourth; } abacus_word_quads;
ABACUS_INTRINSIC abacus_word_quads abacus_load_quads(const int32_t *from) { int32x4x4_t quads = __arm_vld4q_s32(from); return (abacus_word_quads){(abacus_words)quads.val[0], (abacus_words)quads.val[1], (abacus_words)quads.val[2], (abacus_words)quads.val[3]}; }
/* VMLAV and VMLAVA: sixteen products, summed up or added to a sum. */
ABACUS_INTRINSIC int32_t abacus_sum_products(abacus_bytes a, abacus_bytes b) { return __arm_vmladavq_s8((int8x16_t)a, (int8x16_t)b); }
ABACUS_INTRINSIC int32_t abacus_add_all_products(int32_t sum, abacus_bytes a, abacus_bytes b) { return __arm_vmladavaq_s8(sum, (int8x16_t)a, (int8x16_t)b); }
ABACUS_INTRINSIC int32_t abacus_add_products(int32_t sum, abacus_bytes a, abacus_bytes b, uint16_t lanes) { return __arm_vmladavaq_p_s8(sum, (int8x16_t)a, (int8x16_t)b, lanes); }
/* VMOVLB and VMOVLT: even and odd lanes, widened. */
ABACUS_INTRINSIC abacus_words abacus_even_halves(abacus_halves a) { return (abacus_words)__arm_vmovlbq_s16((int16x8_t)a); }
ABACUS_INTRINSIC abacus_words abacus_odd_halves(abacus_halves a) { return (abacus_words)__arm_vmovltq_s16((int16x8_t)a); }
/* VMULH: high words of products. VRSHL: to the right by `bits`, half up. */
ABACUS_INTRINSIC abacus_words abacus_multiply_high(abacus_words a, abacus_words b) { return (abacus_words)__arm_vmulhq_s32((int32x4_t)a, (int32x4_t)b); }
ABACUS_INTRINSIC abacus_words abacus_round_right(abacus_words a, int32_t bits) { return (abacus_words)__arm_vrshlq_n_s32((int32x4_t)a, -bits); }
/* VSHL: to the right by `bits`. */
ABACUS_INTRINSIC abacus_words abacus_shift_lanes_right(abacus_words a, int32_t bits) { return (abacus_words)__arm_vshlq_r_s32((int32x4_t)a, -bits); }
/* VQMOVNB: each word, then each lower halfword, saturated to half its bits in place. */
ABACUS_INTRINSIC abacus_words abacus_saturate_words(abacus_words a) { int16x8_t halves = __arm_vqmovnbq_s32((int16x8_t)a, (int32x4_t)a); return (abacus_words)__arm_vqmovnbq_s16((int8x16_t)halves, halves); }
/* VQMOVNB and VQMOVNT, then VQMOVNB: even and odd words, saturated to the lower bytes of halfwords. */
ABACUS_INTRINSIC abacus_halves abacus_saturate_pairs(abacus_words even, abacus_words odd) { int16x8_t halves = __arm_vqmovntq_s32(__arm_vqmovnbq_s32((int16x8_t)even, (int32x4_t)even), (int32x4_t)odd); return (abacus_halves)__arm_vqmovnbq_s16((int8x16_t)halves, halves); }
/* VMAX and VMIN of bytes. */
ABACUS_INTRINSIC abacus_bytes abacus_greater_bytes(abacus_bytes a, abacus_bytes b) { return (abacus_bytes)__arm_vmaxq_s8((int8x16_t)a, (int8x16_t)b); }
ABACUS_INTRINSIC abacus_bytes abacus_clamp_bytes(abacus_bytes a, int8_t low, int8_t high) { return (abacus_bytes)__arm_vminq_s8(__arm_vmaxq_s8((int8x16_t)a, __arm_vdupq_n_s8(low)), __arm_vdupq_n_s8(high)); }
/* VRSHL of words without sign, VQSHL, VQADD, VMAX and VMIN. */
ABACUS_INTRINSIC abacus_words abacus_round_unsigned_right(abacus_words a, int32_t bits) { return (abacus_words)__arm_vrshlq_n_u32((uint32x4_t)a, -bits); }
ABACUS_INTRINSIC abacus_words abacus_saturated_left(abacus_words a, int32_t bits) { return (abacus_words)__arm_vqshlq_r_s32((int32x4_t)a, bits); }
ABACUS_INTRINSIC abacus_words abacus_saturated_sum(abacus_words a, abacus_words b) { return (abacus_words)__arm_vqaddq_s32((int32x4_t)a, (int32x4_t)b); }
ABACUS_INTRINSIC abacus_words abacus_greater_words(abacus_words a, abacus_words b) { return (abacus_words)__arm_vmaxq_s32((int32x4_t)a, (int32x4_t)b); }
ABACUS_INTRINSIC abacus_words abacus_lesser_words(abacus_words a, abacus_words b) { return (abacus_words)__arm_vminq_s32((int32x4_t)a, (int32x4_t)b); }
/* VCMP and VADD: one more where a sum without sign is below its first summand. */
ABACUS_INTRINSIC abacus_words abacus_add_carry(abacus_words high, abacus_words sum, abacus_words summand) { return (abacus_words)__arm_vaddq_m_n_s32((int32x4_t)high, (int32x4_t)high, 1, __arm_vcmphiq_u32((uint32x4_t)summand, (uint32x4_t)sum)); }
/* VCTP of words; VLDRW, VLDRH and VLDRB widened, VLDRW and VLDRH at offsets in bytes; VSTRH and VSTRB of the lower
   parts; VADDVA. Other lanes are zero and do not count. */
ABACUS_INTRINSIC uint16_t abacus_word_lanes(uint32_t count) { return __arm_vctp32q(count); }
ABACUS_INTRINSIC abacus_words abacus_load_some_words(const int32_t *from, uint16_t lanes) { return (abacus_words)__arm_vldrwq_z_s32(from, lanes); }
ABACUS_INTRINSIC abacus_words abacus_load_some_half_words(const int16_t *from, uint16_t lanes) { return (abacus_words)__arm_vldrhq_z_s32(from, lanes); }
ABACUS_INTRINSIC abacus_words abacus_load_some_byte_words(const int8_t *from, uint16_t lanes) { return (abacus_words)__arm_vldrbq_z_s32(from, lanes); }
ABACUS_INTRINSIC abacus_words abacus_gather_words(const int32_t *from, abacus_words offsets, uint16_t lanes) { return (abacus_words)__arm_vldrwq_gather_offset_z_s32(from, (uint32x4_t)offsets, lanes); }
ABACUS_INTRINSIC abacus_words abacus_gather_halves(const int16_t *from, abacus_words offsets, uint16_t lanes) { return (abacus_words)__arm_vldrhq_gather_offset_z_s32(from, (uint32x4_t)offsets, lanes); }
ABACUS_INTRINSIC void abacus_store_some_half_words(int16_t *to, abacus_words words, uint16_t lanes) { __arm_vstrhq_p_s32(to, (int32x4_t)words, lanes); }
ABACUS_INTRINSIC void abacus_store_some_byte_words(int8_t *to, abacus_words words, uint16_t lanes) { __arm_vstrbq_p_s32(to, (int32x4_t)words, lanes); }
ABACUS_INTRINSIC uint32_t abacus_add_words(uint32_t sum, abacus_words a, uint16_t lanes) { return __arm_vaddvaq_p_u32(sum, (uint32x4_t)a, lanes); }
/* VCMP: words without sign below a limit. */
ABACUS_INTRINSIC uint16_t abacus_lanes_below(abacus_words a, uint32_t limit, uint16_t lanes) { return __arm_vcmphiq_m_u32(__arm_vdupq_n_u32(limit), (uint32x4_t)a, lanes); }
/* Without sign: VMIN, VMULH, VSHR, VRSHL by what lanes say; VRSHR with sign; VSHL to the left; VABS; VQMOVNB. */
ABACUS_INTRINSIC abacus_words abacus_lesser_unsigned(abacus_words a, abacus_words b) { return (abacus_words)__arm_vminq_u32((uint32x4_t)a, (uint32x4_t)b); }
ABACUS_INTRINSIC abacus_words abacus_multiply_high_unsigned(abacus_words a, abacus_words b) { return (abacus_words)__arm_vmulhq_u32((uint32x4_t)a, (uint32x4_t)b); }
ABACUS_INTRINSIC abacus_words abacus_round_by_lanes(abacus_words a, abacus_words bits) { return (abacus_words)__arm_vrshlq_u32((uint32x4_t)a, (int32x4_t)bits); }
ABACUS_INTRINSIC abacus_words abacus_shift_lanes_left(abacus_words a, int32_t bits) { return (abacus_words)__arm_vshlq_r_s32((int32x4_t)a, bits); }
ABACUS_INTRINSIC abacus_words abacus_magnitudes(abacus_words a) { return (abacus_words)__arm_vabsq_s32((int32x4_t)a); }
ABACUS_INTRINSIC abacus_words abacus_saturate_to_halves(abacus_words a) { return (abacus_words)__arm_vqmovnbq_s32((int16x8_t)a, (int32x4_t)a); }
/* Of halfwords: VCTP, VLDRH, VLDRB widened, VMLAVA, VLDRH widened to words, VSTRH of the lower halves of words. */
ABACUS_INTRINSIC uint16_t abacus_half_lanes(uint32_t count) { return __arm_vctp16q(count); }
ABACUS_INTRINSIC abacus_halves abacus_load_whole_halves(const int16_t *from, uint16_t lanes) { return (abacus_halves)__arm_vldrhq_z_s16(from, lanes); }
ABACUS_INTRINSIC abacus_halves abacus_load_some_halves(const int8_t *from, uint16_t lanes) { return (abacus_halves)__arm_vldrbq_z_s16(from, lanes); }
ABACUS_INTRINSIC int32_t abacus_add_half_products(int32_t sum, abacus_halves a, abacus_halves b, uint16_t lanes) { return __arm_vmladavaq_p_s16(sum, (int16x8_t)a, (int16x8_t)b, lanes); }
ABACUS_INTRINSIC abacus_words abacus_load_half_words(const int16_t *from) { return (abacus_words)__arm_vldrhq_s32(from); }
ABACUS_INTRINSIC void abacus_store_half_words(int16_t *to, abacus_words words) { __arm_vstrhq_s32(to, (int32x4_t)words); }

#pragma clang assume_nonnull end
#endif

#endif /* ABACUS_INTRINSICS_H */
