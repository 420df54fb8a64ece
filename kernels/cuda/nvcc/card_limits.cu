#include "kernels/cuda/card_limits.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <random>
#include <vector>

#include "core/base/error.h"
#include "kernels/cuda/dense_products.h"

namespace ferry {
namespace {

constexpr int kThreads = 512, kBlocksOfMultiprocessor = 4;
constexpr int kAtOnce = 4;  // loads of 16 bytes that a thread has under way

__global__ void read_all(const float4* from, size_t n, float* never_written) {
  float sum = 0;
  const size_t stride = static_cast<size_t>(gridDim.x) * kThreads;
  for (size_t i = blockIdx.x * static_cast<size_t>(kThreads) + threadIdx.x; i + (kAtOnce - 1) * stride < n;
       i += kAtOnce * stride) {
    float4 values[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) values[k] = __ldcs(from + i + k * stride);
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k) sum += values[k].x + values[k].y + values[k].z + values[k].w;
  }
  if (sum == 1.2345f) *never_written = sum;  // else the loads would be for nothing, and left out
}

void demand(cudaError_t result, const char* what) {
  if (result != cudaSuccess) throw Error(str("CUDA: ", what, ": ", cudaGetErrorString(result)));
}

// Milliseconds of one of several launches, the best of several runs: neighbours can only slow them down.
template <class Launch>
double best_ms(cudaStream_t stream, const Launch& launch) {
  constexpr int kLaunches = 8, kRuns = 4;
  cudaEvent_t before = nullptr, after = nullptr;
  demand(cudaEventCreate(&before), "no event");
  demand(cudaEventCreate(&after), "no event");
  launch();  // loads what is loaded at the first launch
  double best = 1e30;
  for (int run = 0; run < kRuns; ++run) {
    demand(cudaEventRecord(before, stream), "no event");
    for (int i = 0; i < kLaunches; ++i) launch();
    demand(cudaEventRecord(after, stream), "no event");
    demand(cudaEventSynchronize(after), "a limit cannot be measured");
    float ms = 0;
    demand(cudaEventElapsedTime(&ms, before, after), "no time between events");
    best = std::min(best, static_cast<double>(ms) / kLaunches);
  }
  cudaEventDestroy(before);
  cudaEventDestroy(after);
  return best;
}

double read_gb_s_of(Device& card, cudaStream_t stream) {
  constexpr size_t kBytes = size_t{1} << 30;
  const DeviceArray<std::byte> memory(card, kBytes);
  const DeviceArray<float> nowhere(card, 1);
  int index = 0, n_multiprocessors = 0;
  demand(cudaGetDevice(&index), "no card in use");
  demand(cudaDeviceGetAttribute(&n_multiprocessors, cudaDevAttrMultiProcessorCount, index), "its size is not known");
  const double ms = best_ms(stream, [&] {
    read_all<<<kBlocksOfMultiprocessor * n_multiprocessors, kThreads, 0, stream>>>(
        reinterpret_cast<const float4*>(memory.data()), kBytes / sizeof(float4), nowhere.data());
  });
  return kBytes / ms / 1e6;
}

double product_tflop_s_of(Device& card, cudaStream_t stream) {
  cuda::DenseProducts products(card, {.handle = stream});
  if (!products.are_there()) return 0;
  constexpr int kSide = 8192;
  constexpr size_t kValues = size_t{kSide} * kSide;
  std::mt19937 random(1);  // products of zeros run faster
  std::vector<uint16_t> values(kValues);
  for (uint16_t& value : values) value = static_cast<uint16_t>((random() & 0x80ff) | 0x3f00);  // between −2 and 2
  const DeviceArray<uint16_t> w(card, values), x(card, values);
  const DeviceArray<float> y(card, kValues);
  const double ms = best_ms(stream, [&] {
    products.multiply({.w = w.data(),
                       .x = x.data(),
                       .y = y.data(),
                       .n_out = kSide,
                       .n_rows = kSide,
                       .n_columns = kSide,
                       .x_stride = kSide,
                       .y_stride = kSide});
  });
  return 2.0 * kSide * kValues / ms / 1e9;
}

}  // namespace

CardLimits measure_card_limits(Device& card) {
  const auto stream = static_cast<cudaStream_t>(card.stream());
  return {.product_tflop_s = product_tflop_s_of(card, stream), .read_gb_s = read_gb_s_of(card, stream)};
}

}  // namespace ferry
