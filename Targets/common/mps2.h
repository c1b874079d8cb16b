/* mps2.h: the counter of the MPS2 boards, which differ in nothing else that a startup sees.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "counter.h"

/* CMSDK timer 0 counts down at 25 MHz; timer 1 of the dual timer does so 256 times slower. */
enum { TIMER_CONTROL = 0x40000000, TIMER_VALUE = 0x40000004, TIMER_RELOAD = 0x40000008 };
enum { DUAL_LOAD = 0x40002000, DUAL_VALUE = 0x40002004, DUAL_CONTROL = 0x40002008 };
enum { TIMER_ENABLE = 1 };
enum { DUAL_ENABLE = 1 << 7, DUAL_PRESCALE_256 = 2 << 2, DUAL_32_BITS = 1 << 1 };

void board_start(void) {
  *device_register(DUAL_LOAD) = UINT32_MAX;
  *device_register(DUAL_CONTROL) = DUAL_ENABLE | DUAL_PRESCALE_256 | DUAL_32_BITS;
  *device_register(TIMER_RELOAD) = UINT32_MAX;
  *device_register(TIMER_VALUE) = UINT32_MAX;
  *device_register(TIMER_CONTROL) = TIMER_ENABLE;
}

uint64_t board_ticks(void) {
  return joined_ticks(~*device_register(TIMER_VALUE), ~*device_register(DUAL_VALUE), 8);
}
