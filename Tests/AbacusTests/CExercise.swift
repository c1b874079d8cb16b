/// A C11 program that uses every function and meets every status of abacus.h, with the model that
/// `abacus embed --name model` wrote. Calls of the allocator from outside libc are counted by
/// linking with `-Wl,--wrap`; there must be none.
enum CExercise {
  static let wrapped = ["malloc", "calloc", "realloc", "free", "aligned_alloc", "posix_memalign"]

  static let source = #"""
    #include <abacus.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include "model.h"

    static int allocations;
    void *__wrap_malloc(size_t n) { (void)n; allocations++; return NULL; }
    void *__wrap_calloc(size_t n, size_t m) { (void)n; (void)m; allocations++; return NULL; }
    void *__wrap_realloc(void *p, size_t n) { (void)p; (void)n; allocations++; return NULL; }
    void __wrap_free(void *p) { (void)p; allocations++; }
    void *__wrap_aligned_alloc(size_t a, size_t n) { (void)a; (void)n; allocations++; return NULL; }
    int __wrap_posix_memalign(void **p, size_t a, size_t n) { (void)p; (void)a; (void)n; allocations++; return 1; }

    #define GUARD 64
    static _Alignas(16) uint8_t memory[GUARD + MODEL_ARENA_BYTES + GUARD];
    static _Alignas(16) uint8_t blob[MODEL_BLOB_BYTES + 16];
    static uint8_t first_output[MODEL_OUTPUT_BYTES];

    static int failures;
    #define EXPECT(condition) \
      do { if (!(condition)) { printf("line %d: %s\n", __LINE__, #condition); failures++; } } while (0)

    static void fill_input(abacus_session *session) {
      abacus_tensor input;
      EXPECT(abacus_input(session, 0, &input) == ABACUS_OK);
      for (uint32_t i = 0; i < input.bytes; i++) ((uint8_t *)input.data)[i] = (uint8_t)(i * 29u);
    }

    static const uint8_t *output_bytes(abacus_session *session) {
      abacus_tensor output;
      EXPECT(abacus_output(session, 0, &output) == ABACUS_OK);
      EXPECT(output.bytes == MODEL_OUTPUT_BYTES);
      return output.data;
    }

    int main(void) {
      uint8_t *arena = memory + GUARD;
      abacus_session session = {0};
      abacus_requirements needs;
      abacus_tensor tensor;
      memset(memory, 0xA5, sizeof memory);

      EXPECT(abacus_inspect(model_blob, MODEL_BLOB_BYTES, &needs) == ABACUS_OK);
      EXPECT(needs.arena_bytes == MODEL_ARENA_BYTES && needs.stack_bytes == MODEL_STACK_BYTES);
      EXPECT(needs.input_count == 1 && needs.output_count == 1 && needs.operator_count > 0);
      EXPECT(needs.multiply_accumulates == MODEL_MACS);
      EXPECT(abacus_checksum(model_blob, MODEL_BLOB_BYTES) == ABACUS_OK);
      EXPECT(abacus_version() == (0u << 16 | 1u << 8));

      EXPECT(abacus_run(&session) == ABACUS_NOT_READY);
      EXPECT(abacus_open(&session, NULL, 0, arena, MODEL_ARENA_BYTES) == ABACUS_BAD_ARGUMENT);
      EXPECT(abacus_open(&session, model_blob, MODEL_BLOB_BYTES, arena, MODEL_ARENA_BYTES - 1) == ABACUS_ARENA_TOO_SMALL);
      EXPECT(abacus_open(&session, model_blob, MODEL_BLOB_BYTES, arena + 1, MODEL_ARENA_BYTES) == ABACUS_MISALIGNED);
      EXPECT(abacus_open(&session, model_blob, MODEL_BLOB_BYTES - 1, arena, MODEL_ARENA_BYTES) == ABACUS_CORRUPT);
      EXPECT(abacus_open(&session, model_blob, 3, arena, MODEL_ARENA_BYTES) == ABACUS_NOT_A_MODEL);
      memcpy(blob + 1, model_blob, MODEL_BLOB_BYTES);
      EXPECT(abacus_open(&session, blob + 1, MODEL_BLOB_BYTES, arena, MODEL_ARENA_BYTES) == ABACUS_MISALIGNED);
      memcpy(blob, model_blob, MODEL_BLOB_BYTES);
      blob[4] = 77;
      EXPECT(abacus_open(&session, blob, MODEL_BLOB_BYTES, arena, MODEL_ARENA_BYTES) == ABACUS_UNSUPPORTED_VERSION);
      blob[4] = model_blob[4];
      blob[MODEL_BLOB_BYTES / 2] ^= 1; /* a weight: found by the checksum, harmless otherwise */
      EXPECT(abacus_checksum(blob, MODEL_BLOB_BYTES) == ABACUS_CORRUPT);
      EXPECT(abacus_open(&session, blob, MODEL_BLOB_BYTES, arena, MODEL_ARENA_BYTES) == ABACUS_OK);
      EXPECT(abacus_run(&session) == ABACUS_OK);
      EXPECT(abacus_step(NULL) == ABACUS_BAD_ARGUMENT);

      EXPECT(abacus_open(&session, model_blob, MODEL_BLOB_BYTES, arena, MODEL_ARENA_BYTES) == ABACUS_OK);
      EXPECT(abacus_input(&session, 1, &tensor) == ABACUS_BAD_ARGUMENT);
      EXPECT(abacus_output(&session, 1, &tensor) == ABACUS_BAD_ARGUMENT);
      EXPECT(abacus_input(&session, 0, &tensor) == ABACUS_OK);
      EXPECT(tensor.dtype == ABACUS_INT8 && tensor.rank == 4 && tensor.dims[1] == 28 && tensor.dims[3] == 1);
      EXPECT(tensor.zero_point == -128 && tensor.multiplier > 0 && tensor.shift > 0);
      EXPECT(strcmp(tensor.name, "input") == 0);
      fill_input(&session);
      EXPECT(abacus_run(&session) == ABACUS_OK);
      memcpy(first_output, output_bytes(&session), sizeof first_output);

      int steps = 1;
      fill_input(&session);
      while (abacus_step(&session) == ABACUS_IN_PROGRESS) steps++;
      EXPECT(steps >= (int)needs.operator_count);
      EXPECT(memcmp(first_output, output_bytes(&session), sizeof first_output) == 0);
      EXPECT(abacus_step(&session) == ABACUS_IN_PROGRESS);
      EXPECT(abacus_reset(&session) == ABACUS_OK);
      fill_input(&session);
      EXPECT(abacus_run(&session) == ABACUS_OK);
      EXPECT(memcmp(first_output, output_bytes(&session), sizeof first_output) == 0);

      for (int status = ABACUS_OK; status <= ABACUS_IN_PROGRESS; status++) {
        EXPECT(strlen(abacus_status_text((abacus_status)status)) > 1);
      }
      for (size_t i = 0; i < GUARD; i++) {
        EXPECT(memory[i] == 0xA5 && memory[GUARD + MODEL_ARENA_BYTES + i] == 0xA5);
      }
      EXPECT(allocations == 0);
      for (size_t i = 0; i < sizeof first_output; i++) printf("%d ", (int8_t)first_output[i]);
      printf("\n");
      return failures != 0;
    }

    """#
}
