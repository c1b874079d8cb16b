/* cortex-m.c: vectors and faults of Cortex-M.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifdef __arm__

#include "internal.h"

/* Program counter within the frame that an exception pushes. */
enum { FRAME_PROGRAM_COUNTER = 6 };

__attribute__((naked)) uintptr_t board_stack_pointer(void) {
  __asm__("mov r0, sp\n"
          "bx lr");
}

__attribute__((used)) static void report(const uint32_t *frame) {
  uint32_t exception;
  __asm__("mrs %0, ipsr" : "=r"(exception));
  /* After an overflow there is no frame to look at. */
  uintptr_t counter = frame >= __stack_start ? frame[FRAME_PROGRAM_COUNTER] : 0;
  board_fault(exception, counter, (uintptr_t)frame);
}

/* The old stack may be the reason for the fault: start a new one. */
__attribute__((naked)) static void fault(void) {
  __asm__("mov r0, sp\n"
          "ldr r1, 1f\n"
          "mov sp, r1\n"
          "bl report\n"
          ".p2align 2\n"
          "1: .word __stack_end");
}

void _start(void) { board_main(); }

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    __stack_end, _start, fault, fault, fault, fault, fault, fault,
    fault,       fault, fault, fault, fault, fault, fault, fault,
};

#endif
