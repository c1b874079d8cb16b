/* kernel.h: how the session reaches the kernels. Private: C programs need only abacus.h.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_KERNEL_H
#define ABACUS_KERNEL_H

#include "abacus.h"

#ifdef __clang__
#define ABACUS_NOT_NULL _Nonnull
#else
#define ABACUS_NOT_NULL
#endif

/* One operator of a verified (or, for abacus_check, not yet verified) plan. */
typedef struct abacus_kernel_call {
  const void *ABACUS_NOT_NULL operator_record;  /* OperatorRecord of AbacusFormat */
  const void *ABACUS_NOT_NULL tensors;          /* the blob's tensor records                */
  const void *ABACUS_NOT_NULL parameters;       /* the operator's parameter record          */
  uint32_t parameter_bytes;     /* bytes from there to the section's end    */
  const void *ABACUS_NOT_NULL constants;        /* base of the blob's constants             */
  void *arena;
  uint32_t first_unit, end_unit; /* the slice of the operator to run        */
  uint32_t vectors;             /* VectorInstructions of the runtime       */
  uint32_t round;                /* of the loop that the operator is in     */
} abacus_kernel_call;

/* The two functions that decide which kernels a program carries. The library's
   default (in an object file of its own) knows every kernel; `abacus embed`
   writes a C file that defines both again for the operators of one model, and
   the linker then leaves the rest out. */
abacus_status abacus_dispatch_check(uint32_t opcode, const abacus_kernel_call *call);
void abacus_dispatch_run(uint32_t opcode, const abacus_kernel_call *call);

#endif /* ABACUS_KERNEL_H */
