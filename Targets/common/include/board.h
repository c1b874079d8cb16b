/* board.h: what the firmware asks of an emulated board.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_BOARD_H
#define ABACUS_BOARD_H

#include <stdint.h>

/* What QEMU's loader device places at `__store_start`, before the model and its inputs.
   Emulator.swift writes the same words in the same order. */
typedef struct board_parameters {
  uint32_t magic;        /* BOARD_PARAMETERS_MAGIC                                */
  uint32_t blob;         /* address of the model                                  */
  uint32_t blob_bytes;
  uint32_t samples;      /* address of the inputs, sample after sample, unpadded  */
  uint32_t sample_count; /* as many runs                                          */
  uint32_t arena_end;    /* first address behind the RAM that may be used         */
  uint32_t choice_count; /* choices after the samples: the index of the highest   */
                         /* output, which a further run reads; 0 for none         */
  uint32_t stop_choice;  /* the choice that is the last; BOARD_NO_STOP for none   */
  uint32_t step_by_step; /* not 0: runs are made of steps, each of them measured  */
} board_parameters;

#define BOARD_PARAMETERS_MAGIC 0x4D424145u /* "EABM" */
#define BOARD_NO_STOP 0xFFFFFFFFu

const board_parameters *board_get_parameters(void);

/* The first byte of RAM behind the firmware's own data. */
void *board_arena(void);

/* A clock that advances by the same amount with every instruction; board.json says by how much. */
uint64_t board_ticks(void);

/* The stack, which lies at the bottom of RAM: fill what is unused, find how deep it went since. */
uintptr_t board_stack_pointer(void);
void board_paint_stack(void);
uintptr_t board_deepest_stack(void);

/* Semihosting: text to QEMU's standard error, and the end of the emulation. */
void board_print(const char *text);
_Noreturn void board_exit(uint32_t status);

#endif /* ABACUS_BOARD_H */
