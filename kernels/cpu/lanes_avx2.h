#pragma once
// Eight floats in a register of AVX2, with FMA and F16C. See lanes_portable.h for what each function means.

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace ferry {
namespace {

struct Avx2Lanes {
  static constexpr int kCount = 8;
  static constexpr int kRegisters = 16;
  static constexpr int kFewRows = 8;  // that matmul takes without a tile
  using Floats = __m256;
  using Words = __m256i;

  [[gnu::always_inline]] static Floats zero() { return _mm256_setzero_ps(); }
  [[gnu::always_inline]] static Floats splat(float x) { return _mm256_set1_ps(x); }
  [[gnu::always_inline]] static Floats broadcast(const float* p) { return _mm256_broadcast_ss(p); }
  [[gnu::always_inline]] static Floats load(const float* p) { return _mm256_loadu_ps(p); }
  [[gnu::always_inline]] static void store(float* p, Floats v) { _mm256_storeu_ps(p, v); }
  [[gnu::always_inline]] static __m256i first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  [[gnu::always_inline]] static Floats load_first(const float* p, int count) {
    return _mm256_maskload_ps(p, first(count));
  }
  [[gnu::always_inline]] static void store_first(float* p, Floats v, int count) {
    _mm256_maskstore_ps(p, first(count), v);
  }

  [[gnu::always_inline]] static Floats add(Floats a, Floats b) { return _mm256_add_ps(a, b); }
  [[gnu::always_inline]] static Floats sub(Floats a, Floats b) { return _mm256_sub_ps(a, b); }
  [[gnu::always_inline]] static Floats mul(Floats a, Floats b) { return _mm256_mul_ps(a, b); }
  [[gnu::always_inline]] static Floats div(Floats a, Floats b) { return _mm256_div_ps(a, b); }
  [[gnu::always_inline]] static Floats fma(Floats a, Floats b, Floats c) { return _mm256_fmadd_ps(a, b, c); }
  [[gnu::always_inline]] static Floats max(Floats a, Floats b) { return _mm256_max_ps(a, b); }
  [[gnu::always_inline]] static Floats min(Floats a, Floats b) { return _mm256_min_ps(a, b); }
  [[gnu::always_inline]] static Floats zero_below(Floats v, Floats limit, Floats of) {
    return _mm256_andnot_ps(_mm256_cmp_ps(of, limit, _CMP_LT_OQ), v);
  }
  [[gnu::always_inline]] static Floats round(Floats v) {
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  }
  [[gnu::always_inline]] static Floats power_of_two(Floats whole) {
    const __m256i biased = _mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
  }
  [[gnu::always_inline]] static Floats swap_pairs(Floats v) { return _mm256_permute_ps(v, 0b10110001); }
  [[gnu::always_inline]] static float sum(Floats v) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
  }
  [[gnu::always_inline]] static float largest(Floats v) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
  }

  [[gnu::always_inline]] static Words load_words(const std::byte* p) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  }
  [[gnu::always_inline]] static Words splat_word(uint32_t w) { return _mm256_set1_epi32(static_cast<int>(w)); }
  [[gnu::always_inline]] static Words both(Words a, Words b) { return _mm256_and_si256(a, b); }
  template <int bits>
  [[gnu::always_inline]] static Words shift_left(Words w) {
    return _mm256_slli_epi32(w, bits);
  }
  template <int bits>
  [[gnu::always_inline]] static Words shift_right(Words w) {
    return _mm256_srli_epi32(w, bits);
  }
  [[gnu::always_inline]] static Floats to_floats(Words w) { return _mm256_cvtepi32_ps(w); }
  [[gnu::always_inline]] static Floats load_unsigned_bytes(const std::byte* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  [[gnu::always_inline]] static Floats load_signed_bytes(const std::byte* p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
  }
  [[gnu::always_inline]] static __m128i halves(const std::byte* p) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
  }
  [[gnu::always_inline]] static Floats load_f16(const std::byte* p) { return _mm256_cvtph_ps(halves(p)); }
  [[gnu::always_inline]] static Floats load_bf16(const std::byte* p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves(p)), 16));
  }
  [[gnu::always_inline]] static void store_halves(std::byte* p, __m128i h) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), h);
  }
  [[gnu::always_inline]] static void store_f16(std::byte* p, Floats v) {
    store_halves(p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
  }
  [[gnu::always_inline]] static void store_bf16(std::byte* p, Floats v) {
    const __m256i w = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(w, 16), _mm256_set1_epi32(1));
    const __m256i rounded = _mm256_add_epi32(w, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    const __m256i quiet = _mm256_or_si256(w, _mm256_set1_epi32(0x400000));
    const __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    const __m256i high = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, nan), 16);
    const __m256i packed = _mm256_packus_epi32(high, high);
    store_halves(p, _mm256_castsi256_si128(_mm256_permute4x64_epi64(packed, 0b1000)));
  }

  [[gnu::always_inline]] static void store_transposed(const Floats (&r)[8], float* columns, int stride) {
    // Pairs of rows, then quads within each half of 128 bits, then the halves.
    Floats pairs[8], quads[8];
    for (int i = 0; i < 8; i += 2) {
      pairs[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
      pairs[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      quads[i] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0b01000100);
      quads[i + 1] = _mm256_shuffle_ps(pairs[i], pairs[i + 2], 0b11101110);
      quads[i + 2] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0b01000100);
      quads[i + 3] = _mm256_shuffle_ps(pairs[i + 1], pairs[i + 3], 0b11101110);
    }
    for (int i = 0; i < 4; ++i) {
      store(columns + i * stride, _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x20));
      store(columns + (i + 4) * stride, _mm256_permute2f128_ps(quads[i], quads[i + 4], 0x31));
    }
  }
};

}  // namespace
}  // namespace ferry
