#pragma once
// f32 arithmetic on tensor cores that multiply bf16: a number of 24 significant bits is the sum of three of 8, and a
// product of two such sums is the sum of products of their terms, each exact in f32.

#include "kernels/cuda/language.h"

namespace ferry::cuda {

constexpr int kTerms = 3;  // of an f32

__device__ __forceinline__ float low_of_pair(uint32_t pair) { return f32_of_bits(pair << 16); }
__device__ __forceinline__ float high_of_pair(uint32_t pair) { return f32_of_bits(pair & 0xffff0000); }

__device__ __forceinline__ float sum_of_pair(uint32_t pair) { return low_of_pair(pair) + high_of_pair(pair); }
__device__ __forceinline__ uint32_t low_halves(uint32_t low, uint32_t high) { return (low & 0xffff) | high << 16; }

// (low, high) as pairs of bf16 that add up to them, the largest first.
template <int kN>
__device__ __forceinline__ void split(float low, float high, uint32_t (&pairs)[kN]) {
#pragma unroll
  for (int i = 0; i < kN; ++i) {
    pairs[i] = bf16_pair(low, high);
    low -= low_of_pair(pairs[i]);
    high -= high_of_pair(pairs[i]);
  }
}

}  // namespace ferry::cuda
