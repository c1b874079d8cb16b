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

/* One SMULL, MULH + MUL or IMUL. */
ABACUS_INTRINSIC int64_t abacus_multiply_wide(int32_t a, int32_t b) { return (int64_t)a * b; }

#if defined(__ARM_FEATURE_DSP)
/* SXTB16: bytes 0 and 2, sign-extended to halfwords; with ROR 8, bytes 1 and 3. */
ABACUS_INTRINSIC uint32_t abacus_even_bytes(uint32_t x) { return (uint32_t)__builtin_arm_sxtb16((int32_t)x); }
ABACUS_INTRINSIC uint32_t abacus_odd_bytes(uint32_t x) { return (uint32_t)__builtin_arm_sxtb16((int32_t)(x >> 8 | x << 24)); }
/* SSAT: to 8 and to 16 bits. */
ABACUS_INTRINSIC int32_t abacus_saturate_byte(int32_t x) { return __builtin_arm_ssat(x, 8); }
ABACUS_INTRINSIC int32_t abacus_saturate_half(int32_t x) { return __builtin_arm_ssat(x, 16); }
/* SMLAD: both products of halfwords, added to a sum. */
ABACUS_INTRINSIC int32_t abacus_multiply_add_pairs(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlad((int32_t)a, (int32_t)b, sum); }
/* SMLABT, SMLATB: the bottom halfword of one times the top halfword of the other, added to a sum. */
ABACUS_INTRINSIC int32_t abacus_multiply_add_bottom_top(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlabt((int32_t)a, (int32_t)b, sum); }
ABACUS_INTRINSIC int32_t abacus_multiply_add_top_bottom(uint32_t a, uint32_t b, int32_t sum) { return __builtin_arm_smlatb((int32_t)a, (int32_t)b, sum); }
#endif

#endif /* ABACUS_INTRINSICS_H */
