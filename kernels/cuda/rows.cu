// Operations on rows of f32 values: they move each value once or twice and are bound by memory.

#include "kernels/cuda/language.h"
#include "kernels/cuda/launches.h"
#include "kernels/cuda/warp.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 256;

struct NormShared {
  float sums[kThreads / kWarp];
};

// A block a row. Moves 8 bytes a value, and the weights once from a cache.
__global__ void __launch_bounds__(kThreads) rms_norm(const RmsNorm p) {
  NormShared& shared = shared_memory<NormShared>();
  const int thread = static_cast<int>(threadIdx.x), n_threads = static_cast<int>(blockDim.x);
  const float* x = p.x + static_cast<int64_t>(blockIdx.x) * p.width;
  float* out = p.out + static_cast<int64_t>(blockIdx.x) * p.width;

  float squares = 0;
  for (int i = thread; i < p.width; i += n_threads) squares = fmaf(x[i], x[i], squares);
  squares = total_of_warp(squares);
  if (thread % kWarp == 0) shared.sums[thread / kWarp] = squares;
  __syncthreads();
  float sum = 0;
  for (int w = 0; w < n_threads / kWarp; ++w) sum += shared.sums[w];

  const float scale = 1 / sqrtf(sum / static_cast<float>(p.width) + p.epsilon);
  for (int i = thread; i < p.width; i += n_threads) out[i] = x[i] * scale * p.weight[i];
}

__device__ inline float activated(float x, Activation activation) {
  if (activation == Activation::silu) return x / (1 + expf(-x));
  constexpr float kSqrt2OverPi = 0.79788456f;
  const float inner = kSqrt2OverPi * (x + 0.044715f * x * x * x);
  return x / (1 + expf(-2 * inner));  // x/2 · (1 + tanh(inner)), without losing the small difference at −1
}

// 12 bytes a value.
__global__ void __launch_bounds__(kThreads) gated_activation(const GatedActivation p) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + static_cast<int64_t>(threadIdx.x);
  if (i < p.n) p.out[i] = activated(p.gate[i], p.activation) * p.up[i];
}

// 12 bytes a value.
__global__ void __launch_bounds__(kThreads) add(const Add p) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + static_cast<int64_t>(threadIdx.x);
  if (i < p.n) p.x[i] += p.y[i];
}

// 8 bytes a value.
__global__ void __launch_bounds__(kThreads) select_rows(const SelectRows p) {
  const float* x = p.x + static_cast<int64_t>(p.rows[blockIdx.x]) * p.width;
  float* out = p.out + static_cast<int64_t>(blockIdx.x) * p.width;
  for (int i = static_cast<int>(threadIdx.x); i < p.width; i += kThreads) out[i] = x[i];
}

}  // namespace

void launch_rms_norm(const RmsNorm& p, Stream stream) {
  constexpr int kShort = 256;  // values: a head, not a hidden state
  launch(rms_norm, {{p.n_rows}, p.width <= kShort ? kWarp : kThreads, sizeof(NormShared), stream}, p);
}

void launch_gated_activation(const GatedActivation& p, Stream stream) {
  launch(gated_activation, {{parts_of(p.n, kThreads)}, kThreads, 0, stream}, p);
}

void launch_add(const Add& p, Stream stream) { launch(add, {{parts_of(p.n, kThreads)}, kThreads, 0, stream}, p); }

void launch_select_rows(const SelectRows& p, Stream stream) {
  launch(select_rows, {{p.n_rows}, kThreads, 0, stream}, p);
}

}  // namespace ferry::cuda
