/* startup.c: MPS2 AN385 with code for Cortex-M0. Vectors and reset are in common/cortex-m.c.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#include "mps2.h"
