/* memory.c: the three functions that every compiler takes for granted.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

typedef uint32_t __attribute__((may_alias)) word;

/* Word by word where both sides are aligned; Cortex-M0 has no unaligned access. */
static int whole_words(uintptr_t addresses) { return (addresses & 3) == 0; }

void *memmove(void *destination, const void *source, size_t count) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  /* Forwards, but where the end of the source would be overwritten before it is read. */
  if ((uintptr_t)to - (uintptr_t)from >= count) {
    if (whole_words((uintptr_t)to | (uintptr_t)from)) {
      for (; count >= 4; count -= 4, to += 4, from += 4) *(word *)to = *(const word *)from;
    }
    for (; count > 0; count--) *to++ = *from++;
  } else {
    while (count-- > 0) to[count] = from[count];
  }
  return destination;
}

__attribute__((alias("memmove"))) void *memcpy(void *restrict destination, const void *restrict source, size_t count);

/* The Arm ABI's memset takes its arguments in this order, and is what compilers call there. */
void __aeabi_memset(void *destination, size_t count, int value) {
  uint8_t *to = destination;
  if (whole_words((uintptr_t)to)) {
    word pattern = (uint8_t)value * 0x01010101u;
    for (; count >= 16; count -= 16, to += 16) {
      word *words = (word *)to;
      words[0] = words[1] = words[2] = words[3] = pattern;
    }
    for (; count >= 4; count -= 4, to += 4) *(word *)to = pattern;
  }
  for (; count > 0; count--) *to++ = (uint8_t)value;
}

void *memset(void *destination, int value, size_t count) {
  __aeabi_memset(destination, count, value);
  return destination;
}

/* The names that the Arm ABI gives them. */
#ifdef __arm__
#define ALIAS(name, of) __attribute__((alias(#of))) __typeof__(of) name
ALIAS(__aeabi_memcpy, memmove);
ALIAS(__aeabi_memcpy4, memmove);
ALIAS(__aeabi_memcpy8, memmove);
ALIAS(__aeabi_memmove, memmove);
ALIAS(__aeabi_memmove4, memmove);
ALIAS(__aeabi_memmove8, memmove);

void __aeabi_memclr(void *destination, size_t count) { __aeabi_memset(destination, count, 0); }
ALIAS(__aeabi_memset4, __aeabi_memset);
ALIAS(__aeabi_memset8, __aeabi_memset);
ALIAS(__aeabi_memclr4, __aeabi_memclr);
ALIAS(__aeabi_memclr8, __aeabi_memclr);
#endif
