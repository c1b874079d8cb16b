/* riscv.c: entry and traps of RISC-V in machine mode.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifdef __riscv

#include "internal.h"

__attribute__((naked)) uintptr_t board_stack_pointer(void) {
  __asm__("mv a0, sp\n"
          "ret");
}

__attribute__((used)) static void report(uintptr_t stack_pointer) {
  uintptr_t cause, counter;
  __asm__("csrr %0, mcause" : "=r"(cause));
  __asm__("csrr %0, mepc" : "=r"(counter));
  board_fault(cause, counter, stack_pointer);
}

/* The old stack may be the reason for the trap: start a new one. mtvec wants four-byte alignment. */
__attribute__((naked, used, aligned(4))) static void trap(void) {
  __asm__("mv a0, sp\n"
          "la sp, __stack_end\n"
          "j report");
}

__attribute__((naked, used, section(".vectors"))) void _start(void) {
  __asm__("la sp, __stack_end\n"
          "la t0, trap\n"
          "csrw mtvec, t0\n"
          "j board_main");
}

#endif
