#pragma once
// The words of CUDA and of language.h for the CPU, as far as our kernels use them.

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <numbers>

#include "core/base/check.h"
#include "core/base/half.h"
#include "kernels/cuda/host/emulator.h"
#include "kernels/cuda/host/recorder.h"
#include "kernels/cuda/launch_shape.h"

// NOLINTBEGIN(bugprone-reserved-identifier): CUDA's names
#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define threadIdx (ferry::emulator::place.thread)
#define blockIdx (ferry::emulator::place.block)
#define blockDim (ferry::emulator::place.n_threads)

namespace ferry::cuda {

using std::max;
using std::min;

struct uint2 {
  uint32_t x, y;
};
struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) uint4 {
  uint32_t x, y, z, w;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
inline uint4 make_uint4(uint32_t x, uint32_t y, uint32_t z, uint32_t w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline void __syncthreads() { emulator::meet_block(); }
inline int __syncthreads_count(int predicate) {
  static int n = 0, n_left = 0;
  emulator::meet_block();  // all have left the one before
  n += predicate != 0 ? 1 : 0;
  emulator::meet_block();
  const int total = n;
  if (++n_left == static_cast<int>(blockDim.x)) n = n_left = 0;
  return total;
}
inline void __syncwarp() {
  emulator::meet_warp(emulator::Meeting::barrier, {}, [](emulator::WarpWords&) {});
}

inline constexpr uint32_t kAllLanes = 0xffffffff;

// What lane `from` hands in.
template <class T>
T __shfl_sync(uint32_t lanes, T value, int from) {
  check(lanes == kAllLanes, "whole warps shuffle");
  const auto exchange = [](emulator::WarpWords& words) {
    const emulator::WarpWords given = words;
    for (size_t lane = 0; lane < kWarp; ++lane) {
      for (size_t i = 0; i < 2; ++i) words[lane][i] = given[given[lane][2]][i];
    }
  };
  emulator::Words words{};
  std::memcpy(words.data(), &value, sizeof(T));
  words[2] = static_cast<uint32_t>(from) % kWarp;
  words = emulator::meet_warp(emulator::Meeting::shuffle, words, exchange);
  std::memcpy(&value, words.data(), sizeof(T));
  return value;
}

template <class T>
T __shfl_xor_sync(uint32_t lanes, T value, int distance) {
  return __shfl_sync(lanes, value, static_cast<int>(threadIdx.x) ^ distance);
}

inline uint32_t __ballot_sync(uint32_t lanes, bool vote) {
  check(lanes == kAllLanes, "whole warps vote");
  const auto count = [](emulator::WarpWords& words) {
    uint32_t votes = 0;
    for (size_t lane = 0; lane < kWarp; ++lane) votes |= words[lane][0] << lane;
    for (emulator::Words& of_lane : words) of_lane[0] = votes;
  };
  return emulator::meet_warp(emulator::Meeting::vote, {vote}, count)[0];
}
inline bool __any_sync(uint32_t lanes, bool vote) { return __ballot_sync(lanes, vote) != 0; }

inline int __popc(uint32_t bits) { return std::popcount(bits); }
inline int __ffs(uint32_t bits) { return bits == 0 ? 0 : std::countr_zero(bits) + 1; }

// Blocks run one after the other, and so do kernels.
inline void __threadfence() {}
template <class T>
T atomicAdd(T* to, T value) {
  const T before = *to;
  *to += value;
  return before;
}
template <class T>
T __ldcg(const T* from) {
  return *from;
}
inline void let_next_begin() {}
inline void wait_for_previous() {}

inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline void sincospif(float x, float* sine, float* cosine) {
  const double angle = std::numbers::pi * static_cast<double>(x);
  *sine = static_cast<float>(std::sin(angle));
  *cosine = static_cast<float>(std::cos(angle));
}

template <class T>
T& shared_memory() {
  return *reinterpret_cast<T*>(emulator::shared_memory(sizeof(T)));
}

inline float f32_of_bits(uint32_t bits) { return std::bit_cast<float>(bits); }
inline uint32_t bits_of_f32(float value) { return std::bit_cast<uint32_t>(value); }
inline float f32_of_half(uint16_t half) { return f32_of_f16(half); }
inline uint16_t half_of_f32(float value) { return f16_of_f32(value); }

inline float low_bf16(uint32_t pair) { return std::bit_cast<float>(pair << 16); }
inline float high_bf16(uint32_t pair) { return std::bit_cast<float>(pair & 0xffff0000); }
inline uint32_t bf16_pair(float low, float high) {
  return bf16_of_f32(low) | static_cast<uint32_t>(bf16_of_f32(high)) << 16;
}
inline uint32_t f16_pair(float low, float high) {
  return f16_of_f32(low) | static_cast<uint32_t>(f16_of_f32(high)) << 16;
}
inline float quick_exp2(float exponent) {
  const float power = std::exp2(exponent);
  return power < 0x1p-126f ? 0 : power;
}
inline uint32_t masked_with(uint32_t bits, uint32_t mask, uint32_t also) { return (bits & mask) | also; }
inline uint32_t bf16_pair_minus(uint32_t a, uint32_t b) {
  return bf16_pair(low_bf16(a) - low_bf16(b), high_bf16(a) - high_bf16(b));
}

// Products of a whole warp: a [4], b [2], c [4] of each lane → c.
void multiply_bf16_tiles(emulator::WarpWords& words);
void multiply_f16_tiles(emulator::WarpWords& words);

inline void multiply(emulator::Meeting kind, void (*tiles)(emulator::WarpWords&), float (&c)[4], const uint32_t (&a)[4],
                     uint2 b) {
  emulator::Words words = {a[0], a[1], a[2], a[3], b.x, b.y};
  for (size_t i = 0; i < 4; ++i) words[6 + i] = std::bit_cast<uint32_t>(c[i]);
  words = emulator::meet_warp(kind, words, tiles);
  for (size_t i = 0; i < 4; ++i) c[i] = std::bit_cast<float>(words[6 + i]);
}
inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], uint2 b) {
  multiply(emulator::Meeting::bf16_product, multiply_bf16_tiles, c, a, b);
}
inline void mma_f16(float (&c)[4], const uint32_t (&a)[4], uint2 b) {
  multiply(emulator::Meeting::f16_product, multiply_f16_tiles, c, a, b);
}

using SharedPlace = std::byte*;
inline SharedPlace shared_place(void* in_shared) { return static_cast<SharedPlace>(in_shared); }

// Four matrices for a whole warp: the place of a row, in two words, and whether they are turned over → [4] of each
// lane.
void load_tiles(emulator::WarpWords& words);

inline void load_matrices_of(uint32_t (&pairs)[4], const void* row, bool turned) {
  const auto place = reinterpret_cast<uintptr_t>(row);
  check(place % 16 == 0, "rows of matrices are aligned");
  const emulator::Words words = emulator::meet_warp(
      emulator::Meeting::load, {static_cast<uint32_t>(place), static_cast<uint32_t>(place >> 32), turned}, load_tiles);
  for (size_t i = 0; i < 4; ++i) pairs[i] = words[i];
}
inline void load_matrices(uint32_t (&pairs)[4], const void* row) { load_matrices_of(pairs, row, false); }
inline void load_matrices_turned(uint32_t (&pairs)[4], const void* row) { load_matrices_of(pairs, row, true); }

inline void expect(const void*) {}
inline void copy_async(void* to_shared, const void* from, bool wanted) {
  emulator::begin_copy(static_cast<std::byte*>(to_shared), wanted ? static_cast<const std::byte*>(from) : nullptr);
}
inline void end_copy_group() { emulator::end_copy_group(); }
template <int kNewest>
void wait_for_copies() {
  emulator::finish_copies(kNewest);
}

template <class P>
void launch(void (*kernel)(P), const LaunchShape& shape, const P& parameters) {
  emulator::do_or_record(shape.stream, [=] { emulator::run(shape, [&] { kernel(parameters); }); });
}

template <class P>
void launch_early(void (*kernel)(P), const LaunchShape& shape, const P& parameters) {
  launch(kernel, shape, parameters);
}

}  // namespace ferry::cuda
// NOLINTEND(bugprone-reserved-identifier)
