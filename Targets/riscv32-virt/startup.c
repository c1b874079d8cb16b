/* startup.c: QEMU's generic RISC-V machine, RV32IMC. Entry and traps are in common/riscv.c.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

/* The machine has RAM only. Locking the 16 MB from 0x80000000, which play the part of flash,
   against writes makes a stack overflow (RAM begins behind it) a fault, as on the other boards. */
enum { FLASH_ORIGIN = 0x80000000, FLASH_BYTES = 16 << 20 };
enum { PMP_READ = 1, PMP_EXECUTE = 4, PMP_POWER_OF_TWO = 3 << 3, PMP_LOCK = 1 << 7 };

void board_start(void) {
  uint32_t range = (uint32_t)FLASH_ORIGIN >> 2 | (FLASH_BYTES / 8 - 1);
  uint32_t rights = PMP_LOCK | PMP_POWER_OF_TWO | PMP_EXECUTE | PMP_READ;
  __asm__ volatile("csrw pmpaddr0, %0\n"
                   "csrw pmpcfg0, %1" ::"r"(range), "r"(rights));
}

/* Retired instructions. */
uint64_t board_ticks(void) {
  uint32_t high, low, again;
  do {
    __asm__ volatile("csrr %0, minstreth" : "=r"(high));
    __asm__ volatile("csrr %0, minstret" : "=r"(low));
    __asm__ volatile("csrr %0, minstreth" : "=r"(again));
  } while (high != again);
  return (uint64_t)high << 32 | low;
}
