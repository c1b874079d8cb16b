/* internal.h: what the C files of a board share with each other and hide from the firmware.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_BOARD_INTERNAL_H
#define ABACUS_BOARD_INTERNAL_H

#include <stddef.h>
#include <stdint.h>

#include "board.h"

/* Bounds that sections.ld sets; their addresses are their values. */
extern uint32_t __stack_start[], __stack_end[];
extern uint32_t __data_start[], __data_end[], __data_image[];
extern uint32_t __bss_start[], __bss_end[];
extern char __arena_start[], __store_start[];

/* Each board's startup.c: clocks, coprocessors and the counter. Runs before .data is set. */
void board_start(void);

/* Shared by all boards: what follows once there is a stack. */
_Noreturn void board_main(void);
_Noreturn void board_fault(uint32_t cause, uintptr_t program_counter, uintptr_t stack_pointer);

void *memcpy(void *restrict destination, const void *restrict source, size_t count);
void *memmove(void *destination, const void *source, size_t count);
void *memset(void *destination, int value, size_t count);

static inline volatile uint32_t *device_register(uintptr_t address) {
  return (volatile uint32_t *)address;
}

#endif /* ABACUS_BOARD_INTERNAL_H */
