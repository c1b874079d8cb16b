/* thumb.h: inner loops for Cortex-M0, whose sums stay in high registers. Private.
 *
 * Most of its instructions reach eight registers only, for which compilers therefore have all values of a
 * loop compete; ADD, MOV and CMP reach the others too.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_THUMB_H
#define ABACUS_THUMB_H

#if defined(__ARM_ARCH_6M__)
#include "intrinsics.h"

/* Of two channels, sums of words of two lanes, and of their upper lanes. */
typedef struct { int32_t both0, upper0, both1, upper1; } abacus_lane_sums;

/* A word of weights, columns k and k + 2 of two channels, times words of two rows, columns k and k + 2. The
   upper lane is that of the sum of both products and `bias`. */
#define ABACUS_ADD_COLUMNS \
  "ldm %[rows]!, {%[x], %[y]}\n ldm %[weights]!, {%[w]}\n" \
  "sxtb %[t], %[w]\n muls %[t], %[x], %[t]\n" \
  "lsls %[u], %[w], #16\n asrs %[u], %[u], #24\n muls %[x], %[u], %[x]\n" \
  "lsls %[u], %[w], #8\n asrs %[u], %[u], #24\n muls %[u], %[y], %[u]\n adds %[t], %[t], %[u]\n" \
  "add %[both0], %[t]\n add %[t], %[bias]\n asrs %[t], %[t], #16\n add %[upper0], %[t]\n" \
  "asrs %[w], %[w], #24\n muls %[w], %[y], %[w]\n adds %[x], %[x], %[w]\n" \
  "add %[both1], %[x]\n add %[x], %[bias]\n asrs %[x], %[x], #16\n add %[upper1], %[x]\n"

/* Two rows by two channels in pairs, groups of four columns in the order 0, 2, 1, 3: 46 instructions for 16
   products. LDM wants ascending registers, so they are named. */
ABACUS_INTRINSIC abacus_lane_sums abacus_add_rows(const int32_t *rows, const int32_t *end, const uint32_t *weights, int32_t bias) {
  abacus_lane_sums s = {0, 0, 0, 0};
  register int32_t x __asm__("r3"), y __asm__("r4");
  int32_t w, t, u;
  __asm__ volatile(
      "1:\n" ABACUS_ADD_COLUMNS ABACUS_ADD_COLUMNS "cmp %[rows], %[end]\n bne 1b\n"
      : [both0] "+h"(s.both0), [upper0] "+h"(s.upper0), [both1] "+h"(s.both1), [upper1] "+h"(s.upper1), [rows] "+l"(rows),
        [weights] "+l"(weights), [x] "=&r"(x), [y] "=&r"(y), [w] "=&l"(w), [t] "=&l"(t), [u] "=&l"(u)
      : [end] "h"(end), [bias] "h"(bias)
      : "cc", "memory");
  return s;
}

/* Sums of four channels. */
typedef struct { int32_t s0, s1, s2, s3; } abacus_four_sums;

#define ABACUS_ADD_PRODUCT(weights, sum) "ldrsb %[w], [%[" weights "], %[at]]\n muls %[w], %[x], %[w]\n add %[" sum "], %[w]\n"
#define ABACUS_ADD_COLUMN \
  "ldrsb %[x], [%[row], %[at]]\n" ABACUS_ADD_PRODUCT("w0", "s0") ABACUS_ADD_PRODUCT("w1", "s1") \
  ABACUS_ADD_PRODUCT("w2", "s2") ABACUS_ADD_PRODUCT("w3", "s3") "adds %[at], #2\n"

/* One row by four channels: every second byte from `at`, which is negative, to the end at 0, four at a time. 57 instructions
   for 16 products. */
ABACUS_INTRINSIC abacus_four_sums abacus_add_row(const int8_t *row, const int8_t *w0, const int8_t *w1, const int8_t *w2, const int8_t *w3, int32_t at) {
  abacus_four_sums s = {0, 0, 0, 0};
  int32_t x, w;
  __asm__ volatile(
      "1:\n" ABACUS_ADD_COLUMN ABACUS_ADD_COLUMN ABACUS_ADD_COLUMN ABACUS_ADD_COLUMN "bne 1b\n"
      : [s0] "+h"(s.s0), [s1] "+h"(s.s1), [s2] "+h"(s.s2), [s3] "+h"(s.s3), [at] "+l"(at), [x] "=&l"(x), [w] "=&l"(w)
      : [row] "l"(row), [w0] "l"(w0), [w1] "l"(w1), [w2] "l"(w2), [w3] "l"(w3)
      : "cc", "memory");
  return s;
}
#endif

#endif /* ABACUS_THUMB_H */
