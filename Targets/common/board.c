/* board.c: from reset to main, the stack's paint, and faults: the same on every board.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "internal.h"

int main(int argc, char **argv);

void board_main(void) {
  board_start();
  board_paint_stack();
  memcpy(__data_start, __data_image, (size_t)((char *)__data_end - (char *)__data_start));
  memset(__bss_start, 0, (size_t)((char *)__bss_end - (char *)__bss_start));
  board_exit((uint32_t)main(0, NULL));
}

const board_parameters *board_get_parameters(void) { return (const board_parameters *)__store_start; }

void *board_arena(void) { return __arena_start; }

enum { PAINT = 0x5AFE57AC };

/* A leaf: what it pushes itself lies above the stack pointer that it reads. */
void board_paint_stack(void) {
  uint32_t *end = (uint32_t *)board_stack_pointer();
  for (volatile uint32_t *word = __stack_start; word < end; word++) *word = PAINT;
}

uintptr_t board_deepest_stack(void) {
  const volatile uint32_t *word = __stack_start;
  while (word < __stack_end && *word == PAINT) word++;
  return (uintptr_t)word;
}

static void print_hexadecimal(uintptr_t value) {
  char text[9];
  for (int digit = 0; digit < 8; digit++) text[digit] = "0123456789abcdef"[value >> (28 - 4 * digit) & 15];
  text[8] = 0;
  board_print(text);
}

/* One line that Emulator.swift understands, then the end. */
void board_fault(uint32_t cause, uintptr_t program_counter, uintptr_t stack_pointer) {
  if (stack_pointer < (uintptr_t)__stack_start + 64) {
    board_print("fault stack overflow");
  } else {
    board_print("fault exception ");
    print_hexadecimal(cause);
    board_print(" at ");
    print_hexadecimal(program_counter);
  }
  board_print("\n");
  board_exit(1);
}
