#pragma once
// Sixteen floats in a register of AVX-512. See lanes_portable.h for what each function means.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace ferry {
namespace {

struct Avx512Lanes {
  static constexpr int kCount = 16;
  static constexpr int kRegisters = 32;
  static constexpr int kFewRows = 8;  // that matmul takes without a tile
  using Floats = __m512;
  using Words = __m512i;

  [[gnu::always_inline]] static Floats zero() { return _mm512_setzero_ps(); }
  [[gnu::always_inline]] static Floats splat(float x) { return _mm512_set1_ps(x); }
  [[gnu::always_inline]] static Floats broadcast(const float* p) { return _mm512_set1_ps(*p); }
  [[gnu::always_inline]] static Floats load(const float* p) { return _mm512_loadu_ps(p); }
  [[gnu::always_inline]] static void store(float* p, Floats v) { _mm512_storeu_ps(p, v); }
  [[gnu::always_inline]] static __mmask16 first(int count) { return static_cast<__mmask16>((1u << count) - 1); }
  [[gnu::always_inline]] static Floats load_first(const float* p, int count) {
    return _mm512_maskz_loadu_ps(first(count), p);
  }
  [[gnu::always_inline]] static void store_first(float* p, Floats v, int count) {
    _mm512_mask_storeu_ps(p, first(count), v);
  }

  [[gnu::always_inline]] static Floats add(Floats a, Floats b) { return _mm512_add_ps(a, b); }
  [[gnu::always_inline]] static Floats sub(Floats a, Floats b) { return _mm512_sub_ps(a, b); }
  [[gnu::always_inline]] static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  [[gnu::always_inline]] static Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
  [[gnu::always_inline]] static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  [[gnu::always_inline]] static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  [[gnu::always_inline]] static Floats min(Floats a, Floats b) { return _mm512_min_ps(a, b); }
  [[gnu::always_inline]] static Floats zero_below(Floats v, Floats limit, Floats of) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(of, limit, _CMP_NLT_UQ), v);
  }
  [[gnu::always_inline]] static Floats round(Floats v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  [[gnu::always_inline]] static Floats power_of_two(Floats whole) {
    const __m512i biased = _mm512_add_epi32(_mm512_cvtps_epi32(whole), _mm512_set1_epi32(127));
    return _mm512_castsi512_ps(_mm512_slli_epi32(biased, 23));
  }
  [[gnu::always_inline]] static Floats swap_pairs(Floats v) { return _mm512_permute_ps(v, 0b10110001); }
  [[gnu::always_inline]] static float sum(Floats v) { return _mm512_reduce_add_ps(v); }
  [[gnu::always_inline]] static float largest(Floats v) { return _mm512_reduce_max_ps(v); }

  [[gnu::always_inline]] static Words load_words(const std::byte* p) { return _mm512_loadu_si512(p); }
  [[gnu::always_inline]] static Words splat_word(uint32_t w) { return _mm512_set1_epi32(static_cast<int>(w)); }
  [[gnu::always_inline]] static Words both(Words a, Words b) { return _mm512_and_si512(a, b); }
  template <int bits>
  [[gnu::always_inline]] static Words shift_left(Words w) {
    return _mm512_slli_epi32(w, bits);
  }
  template <int bits>
  [[gnu::always_inline]] static Words shift_right(Words w) {
    return _mm512_srli_epi32(w, bits);
  }
  [[gnu::always_inline]] static Floats to_floats(Words w) { return _mm512_cvtepi32_ps(w); }
  [[gnu::always_inline]] static Floats load_unsigned_bytes(const std::byte* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  [[gnu::always_inline]] static Floats load_signed_bytes(const std::byte* p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))));
  }
  [[gnu::always_inline]] static __m256i halves(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  [[gnu::always_inline]] static Floats load_f16(const std::byte* p) { return _mm512_cvtph_ps(halves(p)); }
  [[gnu::always_inline]] static Floats load_bf16(const std::byte* p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves(p)), 16));
  }
  [[gnu::always_inline]] static void store_halves(std::byte* p, __m256i h) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), h);
  }
  [[gnu::always_inline]] static void store_f16(std::byte* p, Floats v) {
    store_halves(p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  [[gnu::always_inline]] static void store_bf16(std::byte* p, Floats v) {
    const __m512i w = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(w, 16), _mm512_set1_epi32(1));
    const __m512i rounded = _mm512_add_epi32(w, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
    const __m512i quiet = _mm512_or_si512(w, _mm512_set1_epi32(0x400000));
    const __m512i kept = _mm512_mask_mov_epi32(rounded, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), quiet);
    store_halves(p, _mm512_cvtepi32_epi16(_mm512_srli_epi32(kept, 16)));
  }

  [[gnu::always_inline]] static void store_transposed(const Floats (&r)[16], float* columns, int stride) {
    // Pairs of rows, then quads within each lane of 128 bits, then the four lanes of each four rows.
    Floats pairs[16], quads[16];
    for (int i = 0; i < 16; i += 2) {
      pairs[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
      pairs[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
      quads[i] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0b01000100);
      quads[i + 1] = _mm512_shuffle_ps(pairs[i], pairs[i + 2], 0b11101110);
      quads[i + 2] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0b01000100);
      quads[i + 3] = _mm512_shuffle_ps(pairs[i + 1], pairs[i + 3], 0b11101110);
    }
    for (int i = 0; i < 4; ++i) {  // quads[4g + i] has column 4l + i of rows 4g … 4g + 3 in its lane l
      const Floats low01 = _mm512_shuffle_f32x4(quads[i], quads[4 + i], 0b01000100);
      const Floats low23 = _mm512_shuffle_f32x4(quads[8 + i], quads[12 + i], 0b01000100);
      const Floats high01 = _mm512_shuffle_f32x4(quads[i], quads[4 + i], 0b11101110);
      const Floats high23 = _mm512_shuffle_f32x4(quads[8 + i], quads[12 + i], 0b11101110);
      store(columns + i * stride, _mm512_shuffle_f32x4(low01, low23, 0b10001000));
      store(columns + (4 + i) * stride, _mm512_shuffle_f32x4(low01, low23, 0b11011101));
      store(columns + (8 + i) * stride, _mm512_shuffle_f32x4(high01, high23, 0b10001000));
      store(columns + (12 + i) * stride, _mm512_shuffle_f32x4(high01, high23, 0b11011101));
    }
  }
};

}  // namespace
}  // namespace ferry
