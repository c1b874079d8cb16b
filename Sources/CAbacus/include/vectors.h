/* vectors.h: inner loops of hosts, which have several sets of vector instructions. Private.
 *
 * Each set has a Swift module of its own, compiled for it; kernels call the one that the session chose
 * when it was opened.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_VECTORS_H
#define ABACUS_VECTORS_H

#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

/* Rows of bytes times a constant matrix, requantised with one shift above 32. In blocks of 16 channels by 4
   columns (quads) parts are whole quads. */
typedef struct abacus_row_product {
  const int8_t *rows;
  intptr_t row_count, row_stride;              /* in elements, as all strides                        */
  intptr_t part_count, part_length, part_stride; /* a row is parts, which need not be neighbours      */
  const int8_t *weights;
  const int32_t *channels;                     /* bias and multiplier of each                        */
  intptr_t channel_count;
  int8_t *output;
  intptr_t output_stride;                      /* from one row's channels to the next row's          */
  int32_t shift, zero_point, low, high;
} abacus_row_product;

/* Pixels of one row of a depthwise convolution with one filter a channel, requantised likewise. */
typedef struct abacus_depthwise_row {
  const int8_t *image;
  intptr_t image_width, channel_count;
  intptr_t height, width;                      /* of the window                                      */
  intptr_t first_row, row_step, row_count;     /* image row under the first tap, rows in all         */
  intptr_t first_column, column_step;          /* the same of the first pixel                        */
  intptr_t pixel_step, pixel_count;            /* image columns from one pixel to the next           */
  uint64_t padding[4];                         /* what taps outside the image read, in every byte    */
  const int8_t *weights;                       /* [height, width, channel_count]                     */
  const int32_t *channels;
  int8_t *output;                              /* [pixel_count, channel_count]                       */
  int32_t shift, zero_point, low, high;
} abacus_depthwise_row;

/* Weighted sum of two runs of bytes: `summand + (a << scale) * multiplier_a + (b << scale) *
   multiplier_b`, its high word shifted and clamped. */
typedef struct abacus_weighted_sum {
  const int8_t *a, *b;
  int8_t *output;
  intptr_t count;
  int32_t multiplier_a, multiplier_b, scale;
  int64_t summand;
  int32_t shift, low, high;
} abacus_weighted_sum;

/* A window of pixels: its average, one multiplier for all channels, requantised like a product; or its greatest
   elements, clamped. */
typedef struct abacus_pool_window {
  const int8_t *pixels;
  intptr_t height, width, row_stride, channel_count;
  int8_t *output;
  int32_t offset, multiplier;                  /* the offset is taken off the sum                    */
  int32_t shift, zero_point, low, high;
} abacus_pool_window;

/* Windows of neighbouring pixels of one row of an image, copied one after the other into patches. */
typedef struct abacus_window_gather {
  const int8_t *image;
  intptr_t image_height, image_width, channel_count;
  intptr_t height, width;                      /* of the window                                      */
  intptr_t first_row, row_step;                /* image row under the first tap                      */
  intptr_t first_column, column_step;          /* the same of the first pixel                        */
  intptr_t pixel_step, pixel_count;            /* image columns from one pixel to the next           */
  int8_t padding;                              /* what taps outside the image become                 */
  int8_t *patches;
  intptr_t patch_stride;
} abacus_window_gather;

/* Sums of products of one row, of bytes or halves, and up to 16 rows of weights. */
typedef struct abacus_row_sums {
  const int8_t *bytes;                         /* of these two, the one that the function says       */
  const int16_t *halves;
  const int8_t *weights;                       /* [channel_count, depth]                             */
  intptr_t depth, channel_count;
  int32_t *sums;                               /* 16 words, of which channel_count count             */
} abacus_row_sums;

#define ABACUS_VECTOR_LOOPS(set)                                                     \
  void abacus_##set##_row_product(const abacus_row_product *product);                \
  void abacus_##set##_block_product(const abacus_row_product *product);              \
  void abacus_##set##_sums_of_bytes(const abacus_row_sums *row);                     \
  void abacus_##set##_sums_of_halves(const abacus_row_sums *row);                    \
  void abacus_##set##_depthwise_row(const abacus_depthwise_row *row);                \
  void abacus_##set##_weighted_sum(const abacus_weighted_sum *sum);                  \
  void abacus_##set##_gather(const abacus_window_gather *windows);                   \
  void abacus_##set##_greatest(const abacus_pool_window *window);                    \
  void abacus_##set##_average(const abacus_pool_window *window)

ABACUS_VECTOR_LOOPS(avx2);
ABACUS_VECTOR_LOOPS(vnni);
ABACUS_VECTOR_LOOPS(sdot);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif /* ABACUS_VECTORS_H */
