/* memory.c: the three functions that every compiler takes for granted.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

typedef uint32_t __attribute__((may_alias)) word;

/* Word by word where both sides are aligned; Cortex-M0 has no unaligned access. */
static int whole_words(uintptr_t addresses) { return (addresses & 3) == 0; }

void *memcpy(void *restrict destination, const void *restrict source, size_t count) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  if (whole_words((uintptr_t)to | (uintptr_t)from)) {
    for (; count >= 4; count -= 4, to += 4, from += 4) *(word *)to = *(const word *)from;
  }
  for (; count > 0; count--) *to++ = *from++;
  return destination;
}

void *memmove(void *destination, const void *source, size_t count) {
  uint8_t *to = destination;
  const uint8_t *from = source;
  if (to <= from) {
    if (whole_words((uintptr_t)to | (uintptr_t)from)) {
      for (; count >= 4; count -= 4, to += 4, from += 4) *(word *)to = *(const word *)from;
    }
    for (; count > 0; count--) *to++ = *from++;
  } else {
    while (count-- > 0) to[count] = from[count];
  }
  return destination;
}

void *memset(void *destination, int value, size_t count) {
  uint8_t *to = destination;
  if (whole_words((uintptr_t)to)) {
    word pattern = (uint8_t)value * 0x01010101u;
    for (; count >= 4; count -= 4, to += 4) *(word *)to = pattern;
  }
  for (; count > 0; count--) *to++ = (uint8_t)value;
  return destination;
}

/* The names that the Arm ABI gives them (memset there takes its arguments in another order). */
#ifdef __arm__
#define ALIAS(name, of) __attribute__((alias(#of))) __typeof__(of) name
ALIAS(__aeabi_memcpy, memcpy);
ALIAS(__aeabi_memcpy4, memcpy);
ALIAS(__aeabi_memcpy8, memcpy);
ALIAS(__aeabi_memmove, memmove);
ALIAS(__aeabi_memmove4, memmove);
ALIAS(__aeabi_memmove8, memmove);

void __aeabi_memset(void *destination, size_t count, int value) { memset(destination, value, count); }
void __aeabi_memclr(void *destination, size_t count) { memset(destination, 0, count); }
ALIAS(__aeabi_memset4, __aeabi_memset);
ALIAS(__aeabi_memset8, __aeabi_memset);
ALIAS(__aeabi_memclr4, __aeabi_memclr);
ALIAS(__aeabi_memclr8, __aeabi_memclr);
#endif
