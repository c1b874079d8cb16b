/* counter.h: 64 bits of ticks out of two 32-bit counters.
 *
 * A board's clock ticks several times an instruction (board.json sets QEMU's -icount so), which
 * makes the count of instructions exact, and wraps after half a thousand million of them. A
 * second counter that runs 2^shift times slower says how often.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_BOARD_COUNTER_H
#define ABACUS_BOARD_COUNTER_H

#include "internal.h"

/* The number nearest to slow * 2^shift that ends in the 32 bits of `fast`. */
static inline uint64_t joined_ticks(uint32_t fast, uint32_t slow, uint32_t shift) {
  uint64_t rough = (uint64_t)slow << shift;
  return rough + (uint64_t)(int64_t)(int32_t)(fast - (uint32_t)rough);
}

#endif /* ABACUS_BOARD_COUNTER_H */
