/* kernels.h: every kernel of the runtime, one line each. Private.
 *
 * A module of its own (CAbacusKernels): the dispatch sees names only, so no kernel's body is copied
 * into its object file, and a program that brings its own dispatch never pulls that object.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_KERNELS_H
#define ABACUS_KERNELS_H

#include "kernel.h"

/* What an operator demands of its operands, and what it does with them. */
#define ABACUS_OPERATOR(name)                                       \
  abacus_status abacus_check_##name(const abacus_kernel_call *call); \
  void abacus_run_##name(const abacus_kernel_call *call)

ABACUS_OPERATOR(fully_connected);
ABACUS_OPERATOR(convolution);
ABACUS_OPERATOR(depthwise_convolution);
ABACUS_OPERATOR(matrix_multiply);
ABACUS_OPERATOR(add);
ABACUS_OPERATOR(multiply);
ABACUS_OPERATOR(squared_difference);
ABACUS_OPERATOR(maximum);
ABACUS_OPERATOR(minimum);
ABACUS_OPERATOR(prelu);
ABACUS_OPERATOR(max_pool);
ABACUS_OPERATOR(average_pool);
ABACUS_OPERATOR(reduce);
ABACUS_OPERATOR(copy);
ABACUS_OPERATOR(gather);
ABACUS_OPERATOR(softmax);
ABACUS_OPERATOR(table);
ABACUS_OPERATOR(requantize);
ABACUS_OPERATOR(project);
ABACUS_OPERATOR(normalize);
ABACUS_OPERATOR(activation);
ABACUS_OPERATOR(attention);
ABACUS_OPERATOR(rotary);
ABACUS_OPERATOR(append);
ABACUS_OPERATOR(embed);
ABACUS_OPERATOR(add_wide);
ABACUS_OPERATOR(multiply_wide);
ABACUS_OPERATOR(softmax_wide);
ABACUS_OPERATOR(coded_project);
ABACUS_OPERATOR(coded_convolution);
ABACUS_OPERATOR(sparse_project);

#endif /* ABACUS_KERNELS_H */
