/* startup.c: MPS3 AN547, Cortex-M55 with MVE. Vectors and reset are in common/cortex-m.c.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

/* Coprocessor access: vector instructions fault until CP10 and CP11 are open. */
enum { CPACR = 0xE000ED88, CPACR_VECTORS = 0xF << 20 };
/* The system counter, 64 bits at 32 MHz. */
enum { COUNTER_CONTROL = 0x58100000, COUNTER_LOW = 0x58101000, COUNTER_HIGH = 0x58101004 };
enum { COUNTER_ENABLE = 1 };

void board_start(void) {
  *device_register(CPACR) |= CPACR_VECTORS;
  __asm__ volatile("dsb\n"
                   "isb" ::: "memory");
  *device_register(COUNTER_CONTROL) = COUNTER_ENABLE;
}

/* The low word is read last, always at the same distance from the return; the high word is read
   again for the case that the low one wrapped in between. */
uint64_t board_ticks(void) {
  uint32_t high, low;
  do {
    high = *device_register(COUNTER_HIGH);
    low = *device_register(COUNTER_LOW);
  } while (high != *device_register(COUNTER_HIGH));
  return (uint64_t)high << 32 | low;
}
