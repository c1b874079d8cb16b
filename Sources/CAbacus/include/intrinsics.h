/* intrinsics.h: instructions and conversions that Swift cannot name, one line each. Private.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_INTRINSICS_H
#define ABACUS_INTRINSICS_H

#include <stdint.h>

/* Swift's own Int64(x) counts as an allocation in Embedded mode on 32-bit targets. */
static inline int64_t abacus_widen(int32_t x) { return x; }

/* One SMULL, MULH + MUL or IMUL. */
static inline int64_t abacus_multiply_wide(int32_t a, int32_t b) { return (int64_t)a * b; }

#endif /* ABACUS_INTRINSICS_H */
