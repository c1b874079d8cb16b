/* aarch64.c: entry and exceptions of AArch64 at EL1.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifdef __aarch64__

#include "internal.h"

__attribute__((naked)) uintptr_t board_stack_pointer(void) {
  __asm__("mov x0, sp\n"
          "ret");
}

__attribute__((used)) static void report(uintptr_t stack_pointer) {
  uint64_t syndrome;
  uintptr_t counter;
  __asm__("mrs %0, ESR_EL1" : "=r"(syndrome));
  __asm__("mrs %0, ELR_EL1" : "=r"(counter));
  board_fault((uint32_t)syndrome, counter, stack_pointer);
}

/* Sixteen entries of 128 bytes, of which whatever happens takes the one for its kind: all do the same. The old
   stack may be the reason: start a new one. */
__attribute__((naked, used, aligned(2048))) static void exceptions(void) {
  __asm__(".rept 16\n"
          ".balign 128\n"
          "mov x0, sp\n"
          "adrp x1, __stack_end\n"
          "add x1, x1, :lo12:__stack_end\n"
          "mov sp, x1\n"
          "b report\n"
          ".endr");
}

/* CPACR_EL1: vector instructions do not trap. */
__attribute__((naked, used, section(".vectors"))) void _start(void) {
  __asm__("adrp x0, __stack_end\n"
          "add x0, x0, :lo12:__stack_end\n"
          "mov sp, x0\n"
          "adrp x0, exceptions\n"
          "add x0, x0, :lo12:exceptions\n"
          "msr VBAR_EL1, x0\n"
          "mov x0, #(3 << 20)\n"
          "msr CPACR_EL1, x0\n"
          "isb\n"
          "b board_main");
}

#endif
