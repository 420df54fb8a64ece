#include <cuda_runtime.h>

#include "tests/gpu/bandwidth.h"

namespace ferry::gpu {
namespace {

constexpr int kThreads = 512, kAtOnce = 4;  // loads of 16 bytes that a thread has under way

__device__ float4 streamed(const float4* at) { return __ldcs(at); }

__global__ void copy(const float4* from, float4* to, size_t n) {
  const size_t stride = static_cast<size_t>(gridDim.x) * kThreads;
  for (size_t i = blockIdx.x * static_cast<size_t>(kThreads) + threadIdx.x; i + (kAtOnce - 1) * stride < n;
       i += kAtOnce * stride) {
    float4 values[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) values[k] = streamed(from + i + k * stride);
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) __stcs(to + i + k * stride, values[k]);
  }
}

int blocks_of_card() {
  int card = 0, n = 0;
  cudaGetDevice(&card);
  cudaDeviceGetAttribute(&n, cudaDevAttrMultiProcessorCount, card);
  return 4 * n;
}

}  // namespace

void launch_copy(const std::byte* from, std::byte* to, size_t n_bytes, cudaStream_t stream) {
  copy<<<blocks_of_card(), kThreads, 0, stream>>>(reinterpret_cast<const float4*>(from), reinterpret_cast<float4*>(to),
                                                  n_bytes / sizeof(float4));
}

}  // namespace ferry::gpu
