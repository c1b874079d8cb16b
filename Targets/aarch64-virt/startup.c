/* startup.c: QEMU's generic AArch64 machine. Entry and exceptions are in common/aarch64.c.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

/* The machine has RAM only, and unaligned accesses want an address map: every address stays what it is, 16 MB
   from 0x40000000, which play the part of flash, may not be written, and the next 16 MB may. A stack overflow
   (RAM begins behind the flash) so is a fault, as on the other boards. Blocks of 2 MB of normal memory. */
__asm__(".pushsection .rodata.map, \"a\"\n"
        ".balign 4096\n"
        "blocks:\n"
        ".set address, 0x40000000\n"
        ".rept 8\n"
        ".quad address + 0x781\n" /* shared, accessed, not writable */
        ".set address, address + 0x200000\n"
        ".endr\n"
        ".rept 8\n"
        ".quad address + 0x701\n"
        ".set address, address + 0x200000\n"
        ".endr\n"
        ".fill 496, 8, 0\n"
        "map:\n" /* a quarter of 4 GB each */
        ".quad 0, blocks + 3, 0, 0\n"
        ".popsection");

void board_start(void) {
  uint64_t scratch;
  __asm__ volatile("adrp %0, map\n"
                   "add %0, %0, :lo12:map\n"
                   "msr TTBR0_EL1, %0\n"
                   "mov %0, #0xFF\n" /* normal memory, cached */
                   "msr MAIR_EL1, %0\n"
                   "mov %0, #0x3520\n" /* 32 bits of addresses, cached tables */
                   "movk %0, #0x80, lsl #16\n" /* no second table */
                   "msr TCR_EL1, %0\n"
                   "isb\n"
                   "mrs %0, SCTLR_EL1\n"
                   "orr %0, %0, #0x1\n" /* address map on */
                   "orr %0, %0, #0x4\n" /* caches on */
                   "orr %0, %0, #0x1000\n"
                   "bic %0, %0, #0x2\n" /* no check of alignment */
                   "msr SCTLR_EL1, %0\n"
                   "isb"
                   : "=&r"(scratch)
                   :
                   : "memory");
}

/* The virtual counter: 62.5 MHz. */
uint64_t board_ticks(void) {
  uint64_t ticks;
  __asm__ volatile("isb\n"
                   "mrs %0, CNTVCT_EL0"
                   : "=r"(ticks));
  return ticks;
}
