#pragma once
// The words of language.h for a card.

#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "core/base/error.h"
#include "kernels/cuda/launch_shape.h"

namespace ferry::cuda {

template <class T>
__device__ T& shared_memory() {
  extern __shared__ __align__(16) unsigned char bytes[];
  return *reinterpret_cast<T*>(bytes);
}

constexpr uint32_t kAllLanes = 0xffffffff;

__device__ inline float f32_of_bits(uint32_t bits) { return __uint_as_float(bits); }
__device__ inline uint32_t bits_of_f32(float value) { return __float_as_uint(value); }
__device__ inline float f32_of_half(uint16_t half) { return __half2float(__ushort_as_half(half)); }
__device__ inline uint16_t half_of_f32(float value) { return __half_as_ushort(__float2half_rn(value)); }

// Two bf16 in one word, `low` in its low half, each to the nearest.
__device__ inline uint32_t bf16_pair(float low, float high) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}

// a − b, half by half. The product with one is there because Ampere has no subtraction of pairs.
__device__ inline uint32_t bf16_pair_minus(uint32_t a, uint32_t b) {
  constexpr uint32_t kOnes = 0x3f803f80, kSigns = 0x80008000;
  uint32_t difference;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(difference) : "r"(a), "r"(kOnes), "r"(b ^ kSigns));
  return difference;
}

// c += a · b for a tile of 16 rows, 8 columns and 16 products. Of lane l, with g = l / 4 and t = l % 4: a holds rows g,
// g + 8, g, g + 8 at products 2t, 2t, 2t + 8, 2t + 8 and the next of each; b holds products 2t and 2t + 8 and the next
// of each of column g; c holds columns 2t and 2t + 1 of row g, then of row g + 8.
__device__ inline void mma_bf16(float (&c)[4], const uint32_t (&a)[4], uint2 b) {
  asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b.x), "r"(b.y));
}

template <class P>
void launch(void (*kernel)(P), const LaunchShape& shape, const P& parameters) {
  if (shape.grid.x == 0 || shape.grid.y == 0 || shape.grid.z == 0) return;
  constexpr size_t kFreely = 48 << 10;  // more has to be asked for
  if (shape.shared_bytes > kFreely) {
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(shape.shared_bytes));
  }
  const dim3 grid(shape.grid.x, shape.grid.y, shape.grid.z);
  kernel<<<grid, shape.n_threads, shape.shared_bytes, static_cast<cudaStream_t>(shape.stream.handle)>>>(parameters);
  if (const cudaError_t error = cudaGetLastError(); error != cudaSuccess) {
    throw Error(str("CUDA: a kernel cannot be launched: ", cudaGetErrorString(error)));
  }
}

}  // namespace ferry::cuda
