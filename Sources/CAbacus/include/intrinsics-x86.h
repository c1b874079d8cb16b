/* intrinsics-x86.h: vector instructions of x86-64, one line each. A module sees those of the set that it
 * is compiled for. Private.
 *
 * Copyright 2026 The Abacus authors. SPDX-License-Identifier: Apache-2.0
 */
#ifndef ABACUS_INTRINSICS_X86_H
#define ABACUS_INTRINSICS_X86_H

#include "intrinsics.h"

#if defined(__x86_64__)

/* What CPUID says of a leaf, and XGETBV of the registers that the system saves. */
typedef struct abacus_cpuid_registers { uint32_t a, b, c, d; } abacus_cpuid_registers;
ABACUS_INTRINSIC abacus_cpuid_registers abacus_cpuid(uint32_t leaf) { abacus_cpuid_registers r; __asm__("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(0)); return r; }
ABACUS_INTRINSIC uint32_t abacus_saved_registers(void) { uint32_t a, d; __asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(0)); return a; }

#if defined(__AVX512VNNI__)
#include <immintrin.h>

/* Vectors as Swift imports them: SIMD16<Int32>. */
typedef int32_t abacus_words __attribute__((vector_size(64)));
typedef uint32_t abacus_four_words __attribute__((vector_size(16)));
#define ABACUS_WORDS(x) ((abacus_words)(x))
#define ABACUS_BITS(x) ((__m512i)(x))

ABACUS_INTRINSIC abacus_words abacus_splat(int32_t x) { return ABACUS_WORDS(_mm512_set1_epi32(x)); }
/* 64 bytes; the first `count` words, the others zero; four bytes in every word. */
ABACUS_INTRINSIC abacus_words abacus_load(const void *from) { return ABACUS_WORDS(_mm512_loadu_si512(from)); }
ABACUS_INTRINSIC abacus_words abacus_load_words(const int32_t *from, uint32_t count) { return ABACUS_WORDS(_mm512_maskz_loadu_epi32((__mmask16)((1u << count) - 1), from)); }
ABACUS_INTRINSIC abacus_words abacus_load_bytes(const int8_t *from, uint32_t count) { return ABACUS_WORDS(_mm512_maskz_loadu_epi8(_bzhi_u64(~0ull, count), from)); }
ABACUS_INTRINSIC abacus_words abacus_splat_word(const void *from) { int32_t x; __builtin_memcpy(&x, from, 4); return abacus_splat(x); }
ABACUS_INTRINSIC abacus_words abacus_splat_byte(int8_t x) { return ABACUS_WORDS(_mm512_set1_epi8(x)); }
ABACUS_INTRINSIC void abacus_store_bytes(int8_t *to, abacus_words a, uint32_t count) { _mm512_mask_storeu_epi8(to, _bzhi_u64(~0ull, count), ABACUS_BITS(a)); }
/* Bytes plus 128: signed ones become unsigned. */
ABACUS_INTRINSIC abacus_words abacus_unsigned(abacus_words a) { return ABACUS_WORDS(_mm512_xor_si512(ABACUS_BITS(a), _mm512_set1_epi8(-128))); }
/* VPDPBUSD: four products of an unsigned by a signed byte. VPDPWSSD: two of halves. */
ABACUS_INTRINSIC abacus_words abacus_add_quads(abacus_words sums, abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_dpbusd_epi32(ABACUS_BITS(sums), ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_add_pairs(abacus_words sums, abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_dpwssd_epi32(ABACUS_BITS(sums), ABACUS_BITS(a), ABACUS_BITS(b))); }
/* Every other word of two vectors: the first of each pair, the second. */
ABACUS_INTRINSIC abacus_words abacus_firsts(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_permutex2var_epi32(ABACUS_BITS(a), _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_seconds(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_permutex2var_epi32(ABACUS_BITS(a), _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31), ABACUS_BITS(b))); }
/* Of a vector of pairs: the first, the second of each of the first four, in all groups of four words. */
ABACUS_INTRINSIC abacus_words abacus_first_four(abacus_words a) { return ABACUS_WORDS(_mm512_permutexvar_epi32(_mm512_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6, 0, 2, 4, 6), ABACUS_BITS(a))); }
ABACUS_INTRINSIC abacus_words abacus_second_four(abacus_words a) { return ABACUS_WORDS(_mm512_permutexvar_epi32(_mm512_setr_epi32(1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7, 1, 3, 5, 7), ABACUS_BITS(a))); }
/* The first group of the first vector, the second of the second, and so on. */
ABACUS_INTRINSIC abacus_words abacus_groups(abacus_words a, abacus_words b, abacus_words c, abacus_words d) { return ABACUS_WORDS(_mm512_mask_blend_epi32(0xFF00, _mm512_mask_blend_epi32(0xF0, ABACUS_BITS(a), ABACUS_BITS(b)), _mm512_mask_blend_epi32(0xF000, ABACUS_BITS(c), ABACUS_BITS(d)))); }
/* One word of each group for all of the group. */
ABACUS_INTRINSIC abacus_words abacus_splat_first(abacus_words a) { return ABACUS_WORDS(_mm512_shuffle_epi32(ABACUS_BITS(a), 0x00)); }
ABACUS_INTRINSIC abacus_words abacus_splat_second(abacus_words a) { return ABACUS_WORDS(_mm512_shuffle_epi32(ABACUS_BITS(a), 0x55)); }
ABACUS_INTRINSIC abacus_words abacus_splat_third(abacus_words a) { return ABACUS_WORDS(_mm512_shuffle_epi32(ABACUS_BITS(a), 0xAA)); }
ABACUS_INTRINSIC abacus_words abacus_splat_fourth(abacus_words a) { return ABACUS_WORDS(_mm512_shuffle_epi32(ABACUS_BITS(a), 0xFF)); }
/* Sums of the words in each group: of the first vector in the first word of the group, and so on. */
ABACUS_INTRINSIC abacus_words abacus_sums_of_two(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_add_epi32(_mm512_unpacklo_epi32(ABACUS_BITS(a), ABACUS_BITS(b)), _mm512_unpackhi_epi32(ABACUS_BITS(a), ABACUS_BITS(b)))); }
ABACUS_INTRINSIC abacus_words abacus_sums_of_halves(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_add_epi32(_mm512_unpacklo_epi64(ABACUS_BITS(a), ABACUS_BITS(b)), _mm512_unpackhi_epi64(ABACUS_BITS(a), ABACUS_BITS(b)))); }
ABACUS_INTRINSIC abacus_words abacus_sums_in_groups(abacus_words a, abacus_words b, abacus_words c, abacus_words d) { return abacus_sums_of_halves(abacus_sums_of_two(a, b), abacus_sums_of_two(c, d)); }
/* Sums of the groups: of the first vector in the first group, and so on. */
ABACUS_INTRINSIC abacus_words abacus_sums_of_near(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_add_epi32(_mm512_shuffle_i32x4(ABACUS_BITS(a), ABACUS_BITS(b), 0x88), _mm512_shuffle_i32x4(ABACUS_BITS(a), ABACUS_BITS(b), 0xDD))); }
ABACUS_INTRINSIC abacus_words abacus_sums_of_groups(abacus_words a, abacus_words b, abacus_words c, abacus_words d) { return abacus_sums_of_near(abacus_sums_of_near(a, b), abacus_sums_of_near(c, d)); }
/* Two vectors of channels in the order of ABACUS_INTERLEAVE: words 0-3 of every eight, words 4-7. */
ABACUS_INTRINSIC abacus_words abacus_low_fours(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_permutex2var_epi64(ABACUS_BITS(a), _mm512_setr_epi64(0, 1, 4, 5, 8, 9, 12, 13), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_high_fours(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_permutex2var_epi64(ABACUS_BITS(a), _mm512_setr_epi64(2, 3, 6, 7, 10, 11, 14, 15), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_add(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_add_epi32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_subtract(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_sub_epi32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_minimum(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_min_epi32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_maximum(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_max_epi32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_shift_words_right(abacus_words a, int32_t bits) { return ABACUS_WORDS(_mm512_sra_epi32(ABACUS_BITS(a), _mm_cvtsi32_si128(bits))); }
ABACUS_INTRINSIC abacus_words abacus_shift_words_left(abacus_words a, int32_t bits) { return ABACUS_WORDS(_mm512_sll_epi32(ABACUS_BITS(a), _mm_cvtsi32_si128(bits))); }
/* High words of products. */
ABACUS_INTRINSIC abacus_words abacus_multiply_high(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(_mm512_mul_epi32(ABACUS_BITS(a), ABACUS_BITS(b)), 32), _mm512_mul_epi32(_mm512_srli_epi64(ABACUS_BITS(a), 32), _mm512_srli_epi64(ABACUS_BITS(b), 32)))); }
/* High words of a summand and two products; of those in even places, of those in odd ones. */
ABACUS_INTRINSIC abacus_words abacus_even_sums(abacus_words a, abacus_words m, abacus_words b, abacus_words n, int64_t summand) { return ABACUS_WORDS(_mm512_add_epi64(_mm512_set1_epi64(summand), _mm512_add_epi64(_mm512_mul_epi32(ABACUS_BITS(a), ABACUS_BITS(m)), _mm512_mul_epi32(ABACUS_BITS(b), ABACUS_BITS(n))))); }
ABACUS_INTRINSIC abacus_words abacus_odd_words(abacus_words a) { return ABACUS_WORDS(_mm512_srli_epi64(ABACUS_BITS(a), 32)); }
ABACUS_INTRINSIC abacus_words abacus_sums_high(abacus_words a, abacus_words m, abacus_words b, abacus_words n, int64_t summand) { return ABACUS_WORDS(_mm512_mask_blend_epi32(0xAAAA, ABACUS_BITS(abacus_odd_words(abacus_even_sums(a, m, b, n, summand))), ABACUS_BITS(abacus_even_sums(abacus_odd_words(a), abacus_odd_words(m), abacus_odd_words(b), abacus_odd_words(n), summand)))); }
/* 16 bytes, widened; the first `count` of them. */
ABACUS_INTRINSIC abacus_words abacus_widen_bytes(const int8_t *from) { return ABACUS_WORDS(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)from))); }
ABACUS_INTRINSIC abacus_words abacus_widen_first_bytes(const int8_t *from, uint32_t count) { return ABACUS_WORDS(_mm512_cvtepi8_epi32(_mm_maskz_loadu_epi8((__mmask16)((1u << count) - 1), from))); }
/* The lowest bytes of words: all of them, or the first `count`. */
ABACUS_INTRINSIC void abacus_store(int8_t *to, abacus_words a) { _mm_storeu_si128((__m128i *)to, _mm512_cvtepi32_epi8(ABACUS_BITS(a))); }
ABACUS_INTRINSIC void abacus_store_first(int8_t *to, abacus_words a, uint32_t count) { _mm_mask_storeu_epi8(to, (__mmask16)((1u << count) - 1), _mm512_cvtepi32_epi8(ABACUS_BITS(a))); }
ABACUS_INTRINSIC abacus_four_words abacus_lowest_bytes(abacus_words a) { return (abacus_four_words)_mm512_cvtepi32_epi8(ABACUS_BITS(a)); }
ABACUS_INTRINSIC void abacus_store_words(int32_t *to, abacus_words a) { _mm512_storeu_si512(to, ABACUS_BITS(a)); }
/* 32 bytes, widened to halves; the first `count` of them. */
ABACUS_INTRINSIC abacus_words abacus_load_halves(const int8_t *from) { return ABACUS_WORDS(_mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)from))); }
ABACUS_INTRINSIC abacus_words abacus_load_first_halves(const int8_t *from, uint32_t count) { return ABACUS_WORDS(_mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8((__mmask32)_bzhi_u64(~0ull, count), from))); }
ABACUS_INTRINSIC abacus_words abacus_load_first_shorts(const int16_t *from, uint32_t count) { return ABACUS_WORDS(_mm512_maskz_loadu_epi16((__mmask32)_bzhi_u64(~0ull, count), from)); }
/* Halves of two vectors in turns, within 128 bits: of the lower four of every eight, of the upper four. */
ABACUS_INTRINSIC abacus_words abacus_interleave_low(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_unpacklo_epi16(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_interleave_high(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm512_unpackhi_epi16(ABACUS_BITS(a), ABACUS_BITS(b))); }
/* Back in order: the lowest bytes of words, all or the first `count`. */
ABACUS_INTRINSIC void abacus_store_interleaved(int8_t *to, abacus_words low, abacus_words high) { _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi16_epi8(_mm512_packs_epi32(ABACUS_BITS(low), ABACUS_BITS(high)))); }
ABACUS_INTRINSIC void abacus_store_first_interleaved(int8_t *to, abacus_words low, abacus_words high, uint32_t count) { _mm256_mask_storeu_epi8(to, (__mmask32)_bzhi_u64(~0ull, count), _mm512_cvtepi16_epi8(_mm512_packs_epi32(ABACUS_BITS(low), ABACUS_BITS(high)))); }
#elif defined(__AVX2__)
#include <immintrin.h>

/* Vectors as Swift imports them: SIMD8<Int32>, SIMD4<UInt32>. The same by name as above, of half the width. */
typedef int32_t abacus_words __attribute__((vector_size(32)));
typedef uint32_t abacus_four_words __attribute__((vector_size(16)));
#define ABACUS_WORDS(x) ((abacus_words)(x))
#define ABACUS_BITS(x) ((__m256i)(x))

ABACUS_INTRINSIC abacus_words abacus_splat(int32_t x) { return ABACUS_WORDS(_mm256_set1_epi32(x)); }
/* The first `count` words; the first `count` bytes of 16; four bytes in every word. */
ABACUS_INTRINSIC abacus_words abacus_load_words(const int32_t *from, uint32_t count) { return ABACUS_WORDS(_mm256_maskload_epi32(from, _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)))); }
ABACUS_INTRINSIC __m128i abacus_first_bytes(const int8_t *from, uint32_t count) { __m128i x = _mm_setzero_si128(); __builtin_memcpy(&x, from, count); return x; }
ABACUS_INTRINSIC int32_t abacus_word(const void *from) { int32_t x; __builtin_memcpy(&x, from, 4); return x; }
ABACUS_INTRINSIC abacus_words abacus_four_halves(const void *from) { return ABACUS_WORDS(_mm256_broadcastq_epi64(_mm_cvtepi8_epi16(_mm_cvtsi32_si128(abacus_word(from))))); }
ABACUS_INTRINSIC abacus_words abacus_even_words(abacus_words a) { return ABACUS_WORDS(_mm256_shuffle_epi32(ABACUS_BITS(a), 0xA0)); }
ABACUS_INTRINSIC abacus_words abacus_odd_words_twice(abacus_words a) { return ABACUS_WORDS(_mm256_shuffle_epi32(ABACUS_BITS(a), 0xF5)); }
/* Of four bytes in every word of 32 bytes: the first two, the last two, widened to halves. */
ABACUS_INTRINSIC abacus_words abacus_load(const void *from) { return ABACUS_WORDS(_mm256_loadu_si256((const __m256i *)from)); }
ABACUS_INTRINSIC abacus_words abacus_first_two(abacus_words a) { return ABACUS_WORDS(_mm256_srai_epi16(_mm256_shuffle_epi8(ABACUS_BITS(a), _mm256_setr_epi64x(0x0580048001800080, (int64_t)0x0D800C8009800880, 0x0580048001800080, (int64_t)0x0D800C8009800880)), 8)); }
ABACUS_INTRINSIC abacus_words abacus_last_two(abacus_words a) { return ABACUS_WORDS(_mm256_srai_epi16(_mm256_shuffle_epi8(ABACUS_BITS(a), _mm256_setr_epi64x(0x0780068003800280, (int64_t)0x0F800E800B800A80, 0x0780068003800280, (int64_t)0x0F800E800B800A80)), 8)); }
/* VPMADDWD and VPADDD: two products of halves. */
ABACUS_INTRINSIC abacus_words abacus_add_pairs(abacus_words sums, abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_add_epi32(ABACUS_BITS(sums), _mm256_madd_epi16(ABACUS_BITS(a), ABACUS_BITS(b)))); }
ABACUS_INTRINSIC abacus_words abacus_firsts(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps((__m256)a, (__m256)b, 0x88)), 0xD8)); }
ABACUS_INTRINSIC abacus_words abacus_seconds(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_permute4x64_epi64(_mm256_castps_si256(_mm256_shuffle_ps((__m256)a, (__m256)b, 0xDD)), 0xD8)); }
ABACUS_INTRINSIC abacus_words abacus_first_four(abacus_words a) { return ABACUS_WORDS(_mm256_permutevar8x32_epi32(ABACUS_BITS(a), _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6))); }
ABACUS_INTRINSIC abacus_words abacus_second_four(abacus_words a) { return ABACUS_WORDS(_mm256_permutevar8x32_epi32(ABACUS_BITS(a), _mm256_setr_epi32(1, 3, 5, 7, 1, 3, 5, 7))); }
ABACUS_INTRINSIC abacus_words abacus_groups(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_blend_epi32(ABACUS_BITS(a), ABACUS_BITS(b), 0xF0)); }
ABACUS_INTRINSIC abacus_words abacus_sums_of_two(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_add_epi32(_mm256_unpacklo_epi32(ABACUS_BITS(a), ABACUS_BITS(b)), _mm256_unpackhi_epi32(ABACUS_BITS(a), ABACUS_BITS(b)))); }
ABACUS_INTRINSIC abacus_words abacus_sums_of_halves(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_add_epi32(_mm256_unpacklo_epi64(ABACUS_BITS(a), ABACUS_BITS(b)), _mm256_unpackhi_epi64(ABACUS_BITS(a), ABACUS_BITS(b)))); }
ABACUS_INTRINSIC abacus_words abacus_sums_in_groups(abacus_words a, abacus_words b, abacus_words c, abacus_words d) { return abacus_sums_of_halves(abacus_sums_of_two(a, b), abacus_sums_of_two(c, d)); }
/* The lower 128 bits of both; the upper. */
ABACUS_INTRINSIC abacus_words abacus_low_fours(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_permute2x128_si256(ABACUS_BITS(a), ABACUS_BITS(b), 0x20)); }
ABACUS_INTRINSIC abacus_words abacus_high_fours(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_permute2x128_si256(ABACUS_BITS(a), ABACUS_BITS(b), 0x31)); }
ABACUS_INTRINSIC abacus_words abacus_add(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_add_epi32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_subtract(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_sub_epi32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_minimum(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_min_epi32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_maximum(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_max_epi32(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_shift_words_right(abacus_words a, int32_t bits) { return ABACUS_WORDS(_mm256_sra_epi32(ABACUS_BITS(a), _mm_cvtsi32_si128(bits))); }
ABACUS_INTRINSIC abacus_words abacus_shift_words_left(abacus_words a, int32_t bits) { return ABACUS_WORDS(_mm256_sll_epi32(ABACUS_BITS(a), _mm_cvtsi32_si128(bits))); }
ABACUS_INTRINSIC abacus_words abacus_odd_words(abacus_words a) { return ABACUS_WORDS(_mm256_srli_epi64(ABACUS_BITS(a), 32)); }
ABACUS_INTRINSIC abacus_words abacus_multiply_high(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_blend_epi32(_mm256_srli_epi64(_mm256_mul_epi32(ABACUS_BITS(a), ABACUS_BITS(b)), 32), _mm256_mul_epi32(ABACUS_BITS(abacus_odd_words(a)), ABACUS_BITS(abacus_odd_words(b))), 0xAA)); }
ABACUS_INTRINSIC abacus_words abacus_even_sums(abacus_words a, abacus_words m, abacus_words b, abacus_words n, int64_t summand) { return ABACUS_WORDS(_mm256_add_epi64(_mm256_set1_epi64x(summand), _mm256_add_epi64(_mm256_mul_epi32(ABACUS_BITS(a), ABACUS_BITS(m)), _mm256_mul_epi32(ABACUS_BITS(b), ABACUS_BITS(n))))); }
ABACUS_INTRINSIC abacus_words abacus_sums_high(abacus_words a, abacus_words m, abacus_words b, abacus_words n, int64_t summand) { return ABACUS_WORDS(_mm256_blend_epi32(ABACUS_BITS(abacus_odd_words(abacus_even_sums(a, m, b, n, summand))), ABACUS_BITS(abacus_even_sums(abacus_odd_words(a), abacus_odd_words(m), abacus_odd_words(b), abacus_odd_words(n), summand)), 0xAA)); }
ABACUS_INTRINSIC abacus_words abacus_widen_bytes(const int8_t *from) { return ABACUS_WORDS(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)from))); }
ABACUS_INTRINSIC abacus_words abacus_widen_first_bytes(const int8_t *from, uint32_t count) { return ABACUS_WORDS(_mm256_cvtepi8_epi32(abacus_first_bytes(from, count))); }
/* The lowest bytes of words, which are in their range. */
ABACUS_INTRINSIC __m128i abacus_narrow(__m256i halves) { return _mm_packs_epi16(_mm256_castsi256_si128(halves), _mm256_extracti128_si256(halves, 1)); }
ABACUS_INTRINSIC abacus_four_words abacus_lowest_bytes(abacus_words a) { return (abacus_four_words)_mm_packs_epi16(_mm_packs_epi32(_mm256_castsi256_si128(ABACUS_BITS(a)), _mm256_extracti128_si256(ABACUS_BITS(a), 1)), _mm_setzero_si128()); }
ABACUS_INTRINSIC void abacus_store(int8_t *to, abacus_words a) { _mm_storel_epi64((__m128i *)to, (__m128i)abacus_lowest_bytes(a)); }
ABACUS_INTRINSIC void abacus_store_first(int8_t *to, abacus_words a, uint32_t count) { abacus_four_words x = abacus_lowest_bytes(a); __builtin_memcpy(to, &x, count); }
ABACUS_INTRINSIC void abacus_store_words(int32_t *to, abacus_words a) { _mm256_storeu_si256((__m256i *)to, ABACUS_BITS(a)); }
/* 16 bytes, widened to halves; the first `count` of them. */
ABACUS_INTRINSIC abacus_words abacus_load_halves(const int8_t *from) { return ABACUS_WORDS(_mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)from))); }
ABACUS_INTRINSIC abacus_words abacus_load_first_halves(const int8_t *from, uint32_t count) { return ABACUS_WORDS(_mm256_cvtepi8_epi16(abacus_first_bytes(from, count))); }
ABACUS_INTRINSIC abacus_words abacus_load_first_shorts(const int16_t *from, uint32_t count) { abacus_words x = {0}; __builtin_memcpy(&x, from, 2 * count); return x; }
ABACUS_INTRINSIC abacus_words abacus_interleave_low(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_unpacklo_epi16(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC abacus_words abacus_interleave_high(abacus_words a, abacus_words b) { return ABACUS_WORDS(_mm256_unpackhi_epi16(ABACUS_BITS(a), ABACUS_BITS(b))); }
ABACUS_INTRINSIC void abacus_store_interleaved(int8_t *to, abacus_words low, abacus_words high) { _mm_storeu_si128((__m128i *)to, abacus_narrow(_mm256_packs_epi32(ABACUS_BITS(low), ABACUS_BITS(high)))); }
ABACUS_INTRINSIC void abacus_store_first_interleaved(int8_t *to, abacus_words low, abacus_words high, uint32_t count) { __m128i x = abacus_narrow(_mm256_packs_epi32(ABACUS_BITS(low), ABACUS_BITS(high))); __builtin_memcpy(to, &x, count); }
#endif

#endif /* __x86_64__ */

#endif /* ABACUS_INTRINSICS_X86_H */
