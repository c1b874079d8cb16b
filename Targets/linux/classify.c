/* classify.c: runs a model on one input and prints its outputs: all that a C program needs.
 *
 *   classify model.abm input.pgm [labels.txt]
 *
 * The input is a picture (.pgm or .ppm, binary, of the size that the model wants) or a file with
 * the bytes of all inputs. Compiled with -DEMBEDDED_MODEL and the files that `abacus embed --name
 * model` wrote, the model is part of the program and the first argument is left out.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#define _POSIX_C_SOURCE 200809L
#include <abacus.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifdef EMBEDDED_MODEL
#include "model.h"
#define ARENA_BYTES MODEL_ARENA_BYTES
#elif !defined ARENA_BYTES
#define ARENA_BYTES (4u << 20)
#endif

static _Alignas(ABACUS_ARENA_ALIGNMENT) uint8_t arena[ARENA_BYTES];

static _Noreturn void fail(const char *what, const char *why) {
  fprintf(stderr, "classify: %s: %s\n", what, why);
  exit(1);
}

static void check(const char *what, abacus_status status) {
  if (status != ABACUS_OK) fail(what, abacus_status_text(status));
}

/* A whole file, read where the page cache has it. */
static const uint8_t *map(const char *path, size_t *bytes) {
  struct stat status;
  int file = open(path, O_RDONLY);
  if (file < 0 || fstat(file, &status) != 0) {
    perror(path);
    exit(1);
  }
  if (status.st_size == 0) fail(path, "is empty");
  *bytes = (size_t)status.st_size;
  void *contents = mmap(NULL, *bytes, PROT_READ, MAP_PRIVATE, file, 0);
  if (contents == MAP_FAILED) {
    perror(path);
    exit(1);
  }
  close(file);
  return contents;
}

/* The next number of a picture's header, which may have comments; the byte behind it is gone, too. */
static unsigned header_number(FILE *file) {
  int byte = getc(file);
  while (byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n' || byte == '#') {
    if (byte == '#') {
      while (byte != '\n' && byte != EOF) byte = getc(file);
    }
    byte = getc(file);
  }
  unsigned number = 0;
  for (; byte >= '0' && byte <= '9' && number < 1u << 20; byte = getc(file)) number = 10 * number + (unsigned)(byte - '0');
  return number;
}

/* Codes of an image model span its pixels: 0...255 as they are, or from -128 where signed. */
static void read_picture(const char *path, char kind, const abacus_tensor *input) {
  FILE *file = fopen(path, "rb");
  if (!file || getc(file) != 'P' || getc(file) != kind) fail(path, "cannot be read");
  unsigned width = header_number(file), height = header_number(file), maximum = header_number(file);
  if (maximum != 255) fail(path, "is not a picture with 8 bits a sample");
  uint64_t bytes = (uint64_t)width * height * (kind == '5' ? 1 : 3);
  if (bytes != input->bytes || input->dtype > ABACUS_UINT8) {
    fprintf(stderr, "classify: %s has %llu samples, the model wants %u\n", path, (unsigned long long)bytes, input->bytes);
    exit(1);
  }
  uint8_t *codes = input->data;
  if (fread(codes, 1, input->bytes, file) != input->bytes) fail(path, "is too short");
  fclose(file);
  if (input->dtype == ABACUS_INT8) {
    for (uint32_t i = 0; i < input->bytes; i++) codes[i] ^= 0x80;
  }
}

static void read_inputs(const char *path, abacus_session *session, uint32_t count) {
  size_t bytes, used = 0;
  const uint8_t *contents = map(path, &bytes);
  for (uint32_t index = 0; index < count; index++) {
    abacus_tensor input;
    check("input", abacus_input(session, index, &input));
    if (count == 1 && bytes > 2 && contents[0] == 'P' && (contents[1] == '5' || contents[1] == '6')) {
      read_picture(path, (char)contents[1], &input);
      return;
    }
    if (bytes - used < input.bytes) fail(path, "has fewer bytes than the model's inputs");
    memcpy(input.data, contents + used, input.bytes);
    used += input.bytes;
  }
  if (used != bytes) fail(path, "has more bytes than the model's inputs");
}

static int32_t code(const abacus_tensor *tensor, uint32_t index) {
  switch (tensor->dtype) {
  case ABACUS_INT8: return ((const int8_t *)tensor->data)[index];
  case ABACUS_UINT8: return ((const uint8_t *)tensor->data)[index];
  case ABACUS_INT16: return ((const int16_t *)tensor->data)[index];
  default: return ((const int32_t *)tensor->data)[index];
  }
}

static uint32_t element_count(const abacus_tensor *tensor) {
  uint32_t count = 1;
  for (uint32_t i = 0; i < tensor->rank; i++) count *= tensor->dims[i];
  return count;
}

static double real_value(const abacus_tensor *tensor, int32_t stored) {
  double value = ((double)stored - tensor->zero_point) * tensor->multiplier;
  for (int32_t i = 0; i < tensor->shift; i++) value /= 2;
  for (int32_t i = 0; i > tensor->shift; i--) value *= 2;
  return value;
}

/* Line `wanted` of a text file, without its end; the number itself where there is none. */
static void print_label(const char *path, uint32_t wanted) {
  char line[128];
  FILE *file = path ? fopen(path, "r") : NULL;
  if (path && !file) fail(path, "cannot be read");
  for (uint32_t number = 0; file && fgets(line, sizeof line, file); number++) {
    if (number == wanted) {
      printf("%.*s", (int)strcspn(line, "\r\n"), line);
      fclose(file);
      return;
    }
  }
  printf("class %u", wanted);
}

static void print_output(const abacus_tensor *output, const char *labels) {
  uint32_t count = element_count(output), top = 0;
  printf("%s", output->name[0] ? output->name : "output");
  for (uint32_t i = 0; i < count; i++) {
    printf(" %d", code(output, i));
    if (code(output, i) > code(output, top)) top = i;
  }
  printf("\ntop: ");
  print_label(labels, top);
  printf(" (%g)\n", real_value(output, code(output, top)));
}

int main(int argc, char **argv) {
#ifdef EMBEDDED_MODEL
  const uint8_t *model = model_blob;
  size_t model_bytes = MODEL_BLOB_BYTES;
#else
  if (argc < 3) fail("usage", "classify model.abm input [labels]");
  size_t model_bytes;
  const uint8_t *model = map(argv[1], &model_bytes);
  argc--, argv++;
#endif
  if (argc < 2) fail("usage", "classify input [labels]");

  abacus_requirements needs;
  check("model", abacus_inspect(model, model_bytes, &needs));
  if (needs.arena_bytes > sizeof arena) {
    fprintf(stderr, "classify: the model wants an arena of %u bytes; set ARENA_BYTES\n", needs.arena_bytes);
    return 1;
  }
  abacus_session session;
  check("model", abacus_open(&session, model, model_bytes, arena, sizeof arena));
  read_inputs(argv[1], &session, needs.input_count);
  check("run", abacus_run(&session));
  for (uint32_t index = 0; index < needs.output_count; index++) {
    abacus_tensor output;
    check("output", abacus_output(&session, index, &output));
    print_output(&output, argc > 2 ? argv[2] : NULL);
  }
  return 0;
}
