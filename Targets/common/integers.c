/* integers.c: the arithmetic that compilers call where the CPU has no instruction for it.
 *
 * Whole numbers only: a float helper that is missing here is a link error, as it should be. All
 * weak, so that a compiler's own library may take their place. The 64-bit functions work on
 * halves, for the compiler would turn a 64-bit expression into a call of the very function.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

#define HELPER __attribute__((weak, used))

typedef union wide {
  uint64_t whole;
  int64_t integer;
  struct {
    uint32_t low, high;
  };
} wide;

static inline wide wide_of(uint32_t low, uint32_t high) { return (wide){.low = low, .high = high}; }
static inline wide negated(wide x) { return wide_of(0 - x.low, ~x.high + (x.low == 0)); }
static inline int is_negative(wide x) { return (int32_t)x.high < 0; }
static inline int at_least(wide a, wide b) {
  return a.high != b.high ? a.high > b.high : a.low >= b.low;
}

static inline wide shifted_left(wide x, uint32_t count) {
  if (count == 0) return x;
  if (count >= 32) return wide_of(0, x.low << (count - 32));
  return wide_of(x.low << count, x.high << count | x.low >> (32 - count));
}

static inline wide shifted_right(wide x, uint32_t count) {
  if (count == 0) return x;
  if (count >= 32) return wide_of(x.high >> (count - 32), 0);
  return wide_of(x.low >> count | x.high << (32 - count), x.high >> count);
}

static inline wide shifted_right_signed(wide x, uint32_t count) {
  int32_t high = (int32_t)x.high;
  if (count == 0) return x;
  if (count >= 32) return wide_of((uint32_t)(high >> (count - 32)), (uint32_t)(high >> 31));
  return wide_of(x.low >> count | x.high << (32 - count), (uint32_t)(high >> count));
}

static inline uint32_t leading_zeros(wide x) {
  return x.high != 0 ? (uint32_t)__builtin_clz(x.high) : x.low != 0 ? 32 + (uint32_t)__builtin_clz(x.low) : 64;
}

/* Shift and subtract, from the first bit that the quotient can have. A division by zero, which
   no caller makes, gives zero and the dividend. */
__attribute__((used)) static uint64_t divide(uint64_t dividend, uint64_t divisor, uint64_t *remainder) {
  wide rest = {.whole = dividend}, part = {.whole = divisor}, quotient = wide_of(0, 0);
  uint32_t skipped = leading_zeros(part), first = leading_zeros(rest);
  if (divisor != 0 && skipped >= first) {
    uint32_t steps = skipped - first;
    part = shifted_left(part, steps);
    for (uint32_t step = 0; step <= steps; step++) {
      quotient = wide_of(quotient.low << 1, quotient.high << 1 | quotient.low >> 31);
      if (at_least(rest, part)) {
        rest = wide_of(rest.low - part.low, rest.high - part.high - (rest.low < part.low));
        quotient.low |= 1;
      }
      part = wide_of(part.low >> 1 | part.high << 31, part.high >> 1);
    }
  }
  *remainder = rest.whole;
  return quotient.whole;
}

/* Rounds towards zero; the remainder has the sign of the dividend. */
__attribute__((used)) static int64_t divide_signed(int64_t dividend, int64_t divisor, int64_t *remainder) {
  wide a = {.integer = dividend}, b = {.integer = divisor}, rest, quotient;
  int minus = is_negative(a), opposite = is_negative(a) != is_negative(b);
  quotient.whole = divide(minus ? negated(a).whole : a.whole, is_negative(b) ? negated(b).whole : b.whole, &rest.whole);
  *remainder = minus ? negated(rest).integer : rest.integer;
  return opposite ? negated(quotient).integer : quotient.integer;
}

#ifdef __arm__

HELPER uint64_t __aeabi_llsl(uint64_t x, uint32_t count) { return shifted_left((wide){x}, count).whole; }
HELPER uint64_t __aeabi_llsr(uint64_t x, uint32_t count) { return shifted_right((wide){x}, count).whole; }
HELPER uint64_t __aeabi_lasr(uint64_t x, uint32_t count) { return shifted_right_signed((wide){x}, count).whole; }

/* The ABI returns the quotient in r0:r1 and the remainder in r2:r3, which C cannot say. */
#define DIVIDE_WITH_REMAINDER(name, function)    \
  HELPER __attribute__((naked)) void name(void) { \
    __asm__("push {r4, lr}\n"                     \
            "sub sp, #16\n"                       \
            "add r4, sp, #8\n"                    \
            "str r4, [sp]\n"                      \
            "bl " #function "\n"                  \
            "ldr r2, [sp, #8]\n"                  \
            "ldr r3, [sp, #12]\n"                 \
            "add sp, #16\n"                       \
            "pop {r4, pc}");                      \
  }
DIVIDE_WITH_REMAINDER(__aeabi_uldivmod, divide)
DIVIDE_WITH_REMAINDER(__aeabi_ldivmod, divide_signed)

#if __ARM_ARCH == 6 /* Cortex-M0: the low word of a product is all it has. */

HELPER int __clzsi2(uint32_t x) {
  int zeros = 32;
  for (uint32_t width = 16; width != 0; width >>= 1) {
    if (x >> width != 0) {
      x >>= width;
      zeros -= (int)width;
    }
  }
  return zeros - (int)x;
}

HELPER uint64_t __aeabi_lmul(uint64_t x, uint64_t y) {
  wide a = {x}, b = {y};
  uint32_t a0 = a.low & 0xFFFF, a1 = a.low >> 16, b0 = b.low & 0xFFFF, b1 = b.low >> 16;
  uint32_t low = a0 * b0, middle = a1 * b0 + (low >> 16);
  uint32_t cross = a0 * b1 + (middle & 0xFFFF);
  uint32_t high = a1 * b1 + (middle >> 16) + (cross >> 16);
  return wide_of(cross << 16 | (low & 0xFFFF), high + a.low * b.high + a.high * b.low).whole;
}

/* Quotient in the low word, remainder in the high one: r0 and r1, as the ABI wants them. */
HELPER uint64_t __aeabi_uidivmod(uint32_t dividend, uint32_t divisor) {
  uint32_t quotient = 0, rest = dividend;
  if (divisor != 0 && rest >= divisor) {
    uint32_t bit = 1;
    while (divisor <= rest >> 1) {
      divisor <<= 1;
      bit <<= 1;
    }
    for (; bit != 0; bit >>= 1, divisor >>= 1) {
      if (rest >= divisor) {
        rest -= divisor;
        quotient |= bit;
      }
    }
  }
  return wide_of(quotient, rest).whole;
}

HELPER uint64_t __aeabi_idivmod(int32_t dividend, int32_t divisor) {
  uint32_t a = (uint32_t)dividend, b = (uint32_t)divisor;
  wide result = {__aeabi_uidivmod(dividend < 0 ? 0 - a : a, divisor < 0 ? 0 - b : b)};
  if ((dividend < 0) != (divisor < 0)) result.low = 0 - result.low;
  if (dividend < 0) result.high = 0 - result.high;
  return result.whole;
}

HELPER uint32_t __aeabi_uidiv(uint32_t dividend, uint32_t divisor) {
  return ((wide){__aeabi_uidivmod(dividend, divisor)}).low;
}
HELPER int32_t __aeabi_idiv(int32_t dividend, int32_t divisor) {
  return (int32_t)((wide){__aeabi_idivmod(dividend, divisor)}).low;
}

#endif

#elif defined(__riscv) /* With M: 32-bit products and divisions are instructions. */

HELPER uint64_t __ashldi3(uint64_t x, int count) { return shifted_left((wide){x}, (uint32_t)count).whole; }
HELPER uint64_t __lshrdi3(uint64_t x, int count) { return shifted_right((wide){x}, (uint32_t)count).whole; }
HELPER int64_t __ashrdi3(int64_t x, int count) { return shifted_right_signed((wide){.integer = x}, (uint32_t)count).integer; }

HELPER uint64_t __udivdi3(uint64_t dividend, uint64_t divisor) {
  uint64_t remainder;
  return divide(dividend, divisor, &remainder);
}
HELPER uint64_t __umoddi3(uint64_t dividend, uint64_t divisor) {
  uint64_t remainder;
  divide(dividend, divisor, &remainder);
  return remainder;
}
HELPER int64_t __divdi3(int64_t dividend, int64_t divisor) {
  int64_t remainder;
  return divide_signed(dividend, divisor, &remainder);
}
HELPER int64_t __moddi3(int64_t dividend, int64_t divisor) {
  int64_t remainder;
  divide_signed(dividend, divisor, &remainder);
  return remainder;
}

#endif
