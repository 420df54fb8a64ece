#pragma once
// The words of CUDA and of language.h for the CPU, as far as our kernels use them.

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "core/base/check.h"
#include "core/base/half.h"
#include "kernels/cuda/host/emulator.h"
#include "kernels/cuda/launch_shape.h"

#define __global__ static
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define threadIdx (ferry::emulator::place.thread)
#define blockIdx (ferry::emulator::place.block)
#define blockDim (ferry::emulator::place.n_threads)

namespace ferry::cuda {

using std::max;
using std::min;

struct uint2 {
  uint32_t x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
inline uint2 make_uint2(uint32_t x, uint32_t y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

inline void __syncthreads() { emulator::meet_block(); }
inline void __syncwarp() {
  emulator::meet_warp(emulator::Meeting::barrier, {}, [](emulator::WarpWords&) {});
}

inline constexpr uint32_t kAllLanes = 0xffffffff;

template <class T>
T __shfl_xor_sync(uint32_t lanes, T value, int distance) {
  check(lanes == kAllLanes, "whole warps shuffle");
  const uint32_t from = (threadIdx.x ^ static_cast<unsigned>(distance)) % kWarp;
  const auto exchange = [](emulator::WarpWords& words) {
    const emulator::WarpWords given = words;
    for (size_t lane = 0; lane < kWarp; ++lane) words[lane][0] = given[given[lane][1]][0];
  };
  return std::bit_cast<T>(
      emulator::meet_warp(emulator::Meeting::shuffle, {std::bit_cast<uint32_t>(value), from}, exchange)[0]);
}

inline int atomicAdd(int* sum, int value) {  // fibers give way only where they meet
  const int before = *sum;
  *sum += value;
  return before;
}

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
inline uint32_t bf16_pair_minus(uint32_t a, uint32_t b) {
  return bf16_pair(low_bf16(a) - low_bf16(b), high_bf16(a) - high_bf16(b));
}

void multiply_tiles(emulator::WarpWords& words);  // mma_bf16 for a whole warp: a [4], b [2], c [4] of each lane → c

inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], uint2 b) {
  emulator::Words words = {a[0], a[1], a[2], a[3], b.x, b.y};
  for (size_t i = 0; i < 4; ++i) words[6 + i] = std::bit_cast<uint32_t>(c[i]);
  words = emulator::meet_warp(emulator::Meeting::product, words, multiply_tiles);
  for (size_t i = 0; i < 4; ++i) c[i] = std::bit_cast<float>(words[6 + i]);
}

template <class P>
void launch(void (*kernel)(P), const LaunchShape& shape, const P& parameters) {
  emulator::run(shape, [&] { kernel(parameters); });
}

}  // namespace ferry::cuda
