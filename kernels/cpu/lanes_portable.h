#pragma once
// Vectors of n floats as the compiler makes them for any CPU. Kernels are templates over such a struct of lanes; each
// instruction set has one (lanes_avx2.h, lanes_avx512.h), and its file includes the kernels once. All of it has
// internal linkage: a function that one file compiled for AVX-512 must never be the one that the linker keeps for all.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ferry {
namespace {

template <class T, int n>
struct VectorOf {
  typedef T Type __attribute__((vector_size(n * sizeof(T))));
};

template <int n>
struct PortableLanes {
  static constexpr int kCount = n;
  static constexpr int kRegisters = 16;
  static constexpr int kFewRows = 2;  // that matmul takes without a tile
  using Floats = typename VectorOf<float, n>::Type;
  using Ints = typename VectorOf<int32_t, n>::Type;
  using Words = typename VectorOf<uint32_t, n>::Type;
  using Halves = typename VectorOf<uint16_t, n>::Type;
  using Bytes = typename VectorOf<int8_t, n>::Type;
  using UnsignedBytes = typename VectorOf<uint8_t, n>::Type;

  template <class V>
  [[gnu::always_inline]] static V read(const void* p) {
    V v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }
  template <class V>
  [[gnu::always_inline]] static void write(void* p, V v) {
    __builtin_memcpy(p, &v, sizeof v);
  }

  [[gnu::always_inline]] static Floats zero() { return Floats{}; }
  [[gnu::always_inline]] static Floats splat(float x) { return x - Floats{}; }
  [[gnu::always_inline]] static Floats broadcast(const float* p) { return splat(*p); }
  [[gnu::always_inline]] static Floats load(const float* p) { return read<Floats>(p); }
  [[gnu::always_inline]] static void store(float* p, Floats v) { write(p, v); }
  [[gnu::always_inline]] static Floats load_first(const float* p, int count) {
    Floats v{};
    for (int i = 0; i < count; ++i) v[i] = p[i];
    return v;
  }
  [[gnu::always_inline]] static void store_first(float* p, Floats v, int count) {
    for (int i = 0; i < count; ++i) p[i] = v[i];
  }

  [[gnu::always_inline]] static Floats add(Floats a, Floats b) { return a + b; }
  [[gnu::always_inline]] static Floats sub(Floats a, Floats b) { return a - b; }
  [[gnu::always_inline]] static Floats mul(Floats a, Floats b) { return a * b; }
  [[gnu::always_inline]] static Floats div(Floats a, Floats b) { return a / b; }
  [[gnu::always_inline]] static Floats fma(Floats a, Floats b, Floats c) { return a * b + c; }
  [[gnu::always_inline]] static Floats max(Floats a, Floats b) { return a > b ? a : b; }
  [[gnu::always_inline]] static Floats min(Floats a, Floats b) { return a < b ? a : b; }
  [[gnu::always_inline]] static Floats zero_below(Floats v, Floats limit, Floats of) {
    return of < limit ? Floats{} : v;
  }
  [[gnu::always_inline]] static Floats round(Floats v) {  // |v| < 2²²
    const Floats shift = splat(0x1.8p23f);
    return (v + shift) - shift;
  }
  [[gnu::always_inline]] static Floats power_of_two(Floats whole) {
    return reinterpret_cast<Floats>((__builtin_convertvector(whole, Ints) + 127) << 23);
  }
  [[gnu::always_inline]] static Floats swap_pairs(Floats v) {
    Floats out;
    for (int i = 0; i < n; ++i) out[i] = v[i ^ 1];
    return out;
  }
  [[gnu::always_inline]] static float sum(Floats v) {
    float total = 0;
    for (int i = 0; i < n; ++i) total += v[i];
    return total;
  }
  [[gnu::always_inline]] static float largest(Floats v) {
    float best = v[0];
    for (int i = 1; i < n; ++i) best = best < v[i] ? v[i] : best;
    return best;
  }

  [[gnu::always_inline]] static Words load_words(const std::byte* p) { return read<Words>(p); }
  [[gnu::always_inline]] static Words splat_word(uint32_t w) { return w - Words{}; }
  [[gnu::always_inline]] static Words both(Words a, Words b) { return a & b; }
  template <int bits>
  [[gnu::always_inline]] static Words shift_left(Words w) {
    return w << bits;
  }
  template <int bits>
  [[gnu::always_inline]] static Words shift_right(Words w) {
    return w >> bits;
  }
  [[gnu::always_inline]] static Floats to_floats(Words w) {  // w < 2³¹
    return __builtin_convertvector(reinterpret_cast<Ints>(w), Floats);
  }
  [[gnu::always_inline]] static Floats load_unsigned_bytes(const std::byte* p) {
    return __builtin_convertvector(read<UnsignedBytes>(p), Floats);
  }
  [[gnu::always_inline]] static Floats load_signed_bytes(const std::byte* p) {
    return __builtin_convertvector(read<Bytes>(p), Floats);
  }
  [[gnu::always_inline]] static Floats load_bf16(const std::byte* p) {
    return reinterpret_cast<Floats>(__builtin_convertvector(read<Halves>(p), Words) << 16);
  }
  [[gnu::always_inline]] static Floats load_f16(const std::byte* p) {
    const Words half = __builtin_convertvector(read<Halves>(p), Words);
    const Words magnitude = (half & 0x7fff) << 13;  // scaled by 2¹¹² it has the exponent of an f32, subnormals too
    const Floats scaled = reinterpret_cast<Floats>(magnitude) * 0x1p112f;
    const Words infinite = reinterpret_cast<Words>((half & 0x7c00) == 0x7c00) & 0x7f800000;
    return reinterpret_cast<Floats>(reinterpret_cast<Words>(scaled) | infinite | ((half & 0x8000) << 16));
  }
  [[gnu::always_inline]] static void store_bf16(std::byte* p, Floats v) {
    const Words w = reinterpret_cast<Words>(v);
    const Words rounded = (w + 0x7fff + ((w >> 16) & 1)) >> 16;
    const Words quiet = (w >> 16) | 0x40;
    write(p, __builtin_convertvector((w & 0x7fffffff) > 0x7f800000 ? quiet : rounded, Halves));
  }
  [[gnu::always_inline]] static void store_f16(std::byte* p, Floats v) {
    const Words w = reinterpret_cast<Words>(v);
    const Words magnitude = w & 0x7fffffff;
    // Adding a half leaves the rounded subnormal in the low bits of the sum.
    const Words tiny = reinterpret_cast<Words>(reinterpret_cast<Floats>(magnitude) + 0.5f) - 0x3f000000;
    const Words normal = (magnitude - (112u << 23) + 0xfff + ((magnitude >> 13) & 1)) >> 13;
    Words half = magnitude < 0x38800000 ? tiny : normal;
    half = magnitude >= 0x477ff000 ? Words{} + 0x7c00 : half;
    half = magnitude > 0x7f800000 ? Words{} + 0x7e00 : half;
    write(p, __builtin_convertvector(half | ((w >> 16) & 0x8000), Halves));
  }

  // rows[i][j] becomes columns[j][i], a column being `stride` floats from the next.
  [[gnu::always_inline]] static void store_transposed(const Floats (&rows)[n], float* columns, int stride) {
    for (int j = 0; j < n; ++j) {
      for (int i = 0; i < n; ++i) columns[j * stride + i] = rows[i][j];
    }
  }
};

}  // namespace
}  // namespace ferry
