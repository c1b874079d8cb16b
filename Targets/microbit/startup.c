/* startup.c: BBC micro:bit, nRF51822, Cortex-M0. Vectors and reset are in common/cortex-m.c.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "counter.h"

/* Timer 0 counts at 16 MHz, timer 1 with the largest prescaler at 16 MHz / 512. */
enum { TIMER_0 = 0x40008000, TIMER_1 = 0x40009000 };
enum { TASK_START = 0x000, TASK_CAPTURE = 0x040, BIT_MODE = 0x508, PRESCALER = 0x510, CAPTURED = 0x540 };
enum { BIT_MODE_32 = 3, SLOWEST = 9 };

static void start(uintptr_t timer, uint32_t prescaler) {
  *device_register(timer + BIT_MODE) = BIT_MODE_32;
  *device_register(timer + PRESCALER) = prescaler;
  *device_register(timer + TASK_START) = 1;
}

static inline uint32_t capture(uintptr_t timer) {
  *device_register(timer + TASK_CAPTURE) = 1;
  return *device_register(timer + CAPTURED);
}

void board_start(void) {
  start(TIMER_0, 0);
  start(TIMER_1, SLOWEST);
}

uint64_t board_ticks(void) { return joined_ticks(capture(TIMER_0), capture(TIMER_1), SLOWEST); }
