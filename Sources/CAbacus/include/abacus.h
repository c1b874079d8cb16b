/* abacus.h: run quantised neural networks in fixed memory.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 *
 * Give a model blob (flash, ROM, mmap) and an arena (a static array), then
 * call abacus_open, abacus_run, and read the outputs. Nothing is allocated, no
 * floating-point instruction is executed, nothing global is written.
 * C11 and C++17; no libc beyond memcpy, memmove and memset.
 */
#ifndef ABACUS_H
#define ABACUS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ABACUS_BLOB_ALIGNMENT   16   /* required alignment of a blob   */
#define ABACUS_ARENA_ALIGNMENT  16   /* required alignment of an arena */

typedef enum abacus_status {
  ABACUS_OK = 0,
  ABACUS_NOT_A_MODEL,          /* magic number differs                           */
  ABACUS_UNSUPPORTED_VERSION,  /* blob written for another format version        */
  ABACUS_CORRUPT,              /* a checksum, offset, size or plan does not hold */
  ABACUS_UNSUPPORTED_OPERATOR, /* this build leaves that operator or kernel out  */
  ABACUS_MISALIGNED,           /* blob or arena pointer breaks its alignment     */
  ABACUS_ARENA_TOO_SMALL,      /* see abacus_requirements.arena_bytes            */
  ABACUS_BAD_ARGUMENT,         /* null pointer, index out of range               */
  ABACUS_NOT_READY,            /* run before open, or after a failed open        */
  ABACUS_IN_PROGRESS,          /* abacus_step: more steps remain                 */
  ABACUS_LENGTH_LIMIT          /* the key/value cache is full: abacus_reset starts anew */
} abacus_status;

typedef enum abacus_dtype { ABACUS_INT8 = 1, ABACUS_UINT8, ABACUS_INT16, ABACUS_INT32 } abacus_dtype;

typedef struct abacus_requirements {
  uint32_t arena_bytes;      /* exact: one byte less is refused     */
  uint32_t stack_bytes;      /* upper bound for open, run and step  */
  uint32_t operator_count;
  uint32_t input_count, output_count;
  uint64_t multiply_accumulates;
} abacus_requirements;

/* A view into the arena. real value = (stored - zero_point) * multiplier * 2^-shift,
   so a host can convert sensor samples with no floating point. */
typedef struct abacus_tensor {
  void *data;
  uint32_t bytes;
  abacus_dtype dtype;
  uint32_t rank;             /* <= 6 */
  uint32_t dims[6];
  int32_t zero_point, multiplier, shift;
  const char *name;          /* inside the blob; "" when names were stripped */
} abacus_tensor;

/* Storage for one session, owned by the caller; contents private. */
typedef struct abacus_session { uint64_t storage[16]; } abacus_session;

/* What a blob needs, after the same whole check that abacus_open makes. */
abacus_status abacus_inspect(const void *blob, size_t blob_bytes, abacus_requirements *out);

/* Check the blob, bind it to an arena, set its state tensors to their initial values.
   A failed open leaves the arena untouched and the session not ready. */
abacus_status abacus_open(abacus_session *s, const void *blob, size_t blob_bytes,
                          void *arena, size_t arena_bytes);

/* Views of inputs (write before each run) and outputs (read after a run). */
abacus_status abacus_input (abacus_session *s, uint32_t index, abacus_tensor *out);
abacus_status abacus_output(abacus_session *s, uint32_t index, abacus_tensor *out);

abacus_status abacus_run  (abacus_session *s);
abacus_status abacus_step (abacus_session *s);   /* one operator (or one slice of a long one) */
abacus_status abacus_reset(abacus_session *s);   /* state tensors (recurrent state, key/value cache) to their initial values */
const char   *abacus_status_text(abacus_status status);
abacus_status abacus_checksum(const void *blob, size_t blob_bytes); /* CRC-32 of the whole content: after a download, at boot */
uint32_t      abacus_version(void);              /* major << 16 | minor << 8 | patch */

#ifdef __cplusplus
}
#endif

#endif /* ABACUS_H */
