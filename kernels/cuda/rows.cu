// Operations on rows of f32 values: they move each value once or twice and are bound by memory.

#include <algorithm>

#include "core/base/check.h"
#include "kernels/cuda/activation.h"
#include "kernels/cuda/language.h"
#include "kernels/cuda/launches.h"
#include "kernels/cuda/put_terms.h"
#include "kernels/cuda/warp.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 256;

// Of the norms a block has a row, and each thread keeps its values of it: thread, thread + n_threads, …
constexpr int kMostNormThreads = 1024;
constexpr int kMostKept = 16;    // of the widest rows
constexpr int kUsuallyKept = 8;  // so that few warps wait for each other

struct NormShared {
  float sums[2][kMostNormThreads / kWarp];
};

// The sum over a block, the same in all threads.
__device__ inline float total_of_block(float value, float (&sums)[kMostNormThreads / kWarp]) {
  const int thread = static_cast<int>(threadIdx.x);
  value = total_of_warp(value);
  if (thread % kWarp == 0) sums[thread / kWarp] = value;
  __syncthreads();
  float total = 0;
  for (int w = 0; w < static_cast<int>(blockDim.x) / kWarp; ++w) total += sums[w];
  return total;
}

// f(j, i): a thread's value j is the row's i.
template <int kKept, class F>
__device__ inline void for_each_kept(int width, const F& f) {
#pragma unroll
  for (int j = 0; j < kKept; ++j) {
    const int i = static_cast<int>(threadIdx.x + j * blockDim.x);
    if (i < width) f(j, i);
  }
}

template <int kKept>
__device__ inline float norm_scale(const float (&kept)[kKept], int width, float epsilon,
                                   float (&sums)[kMostNormThreads / kWarp]) {
  float squares = 0;
#pragma unroll
  for (int j = 0; j < kKept; ++j) squares = fmaf(kept[j], kept[j], squares);  // zeros beyond the row
  return 1 / sqrtf(total_of_block(squares, sums) / static_cast<float>(width) + epsilon);
}

// Moves 8 bytes a value, and the weights once from a cache: asked for before what ran before has ended.
__global__ void __launch_bounds__(kMostNormThreads) rms_norm(const RmsNorm p) {
  NormShared& shared = shared_memory<NormShared>();
  const float* x = p.x + static_cast<int64_t>(blockIdx.x) * p.width;
  float* out = p.out + static_cast<int64_t>(blockIdx.x) * p.width;
  float kept[kMostKept] = {}, weights[kMostKept];
  let_next_begin();
  for_each_kept<kMostKept>(p.width, [&](int j, int i) { weights[j] = p.weight[i]; });
  wait_for_previous();
  for_each_kept<kMostKept>(p.width, [&](int j, int i) { kept[j] = x[i]; });
  const float scale = norm_scale(kept, p.width, p.epsilon, shared.sums[0]);
  for_each_kept<kMostKept>(p.width, [&](int j, int i) { out[i] = kept[j] * scale * weights[j]; });
}

// Adds and norms. `kept` is the sum, which goes to p.x, too; the row's norm is kept · scale · weights.
template <int kKept>
struct Normed {
  float kept[kKept] = {}, weights[kKept];
  float scale = 0;
};

template <int kKept>
__device__ __forceinline__ void add_and_norm(const AddAndNorm& p, Normed<kKept>& normed) {
  NormShared& shared = shared_memory<NormShared>();
  const int64_t begin = static_cast<int64_t>(blockIdx.x) * p.width;
  float* x = p.x + begin;
  const float* y = p.y + begin;
  float(&kept)[kKept] = normed.kept;
  let_next_begin();
  for_each_kept<kKept>(p.width, [&](int j, int i) { normed.weights[j] = p.weight[i]; });
  wait_for_previous();
  if (p.y_weight != nullptr) {
    for_each_kept<kKept>(p.width, [&](int j, int i) { kept[j] = y[i]; });
    const float scale = norm_scale(kept, p.width, p.epsilon, shared.sums[0]);
    for_each_kept<kKept>(p.width, [&](int j, int i) { kept[j] = x[i] + kept[j] * scale * p.y_weight[i]; });
  } else {
    for_each_kept<kKept>(p.width, [&](int j, int i) { kept[j] = x[i] + y[i]; });
  }
  for_each_kept<kKept>(p.width, [&](int j, int i) { x[i] = kept[j]; });
  normed.scale = norm_scale(kept, p.width, p.epsilon, shared.sums[1]);
}

// Moves 16 bytes a value.
__global__ void __launch_bounds__(kMostNormThreads) add_and_norm(const AddAndNorm p) {
  Normed<kMostKept> normed;
  add_and_norm(p, normed);
  float* out = p.out + static_cast<int64_t>(blockIdx.x) * p.width;
  for_each_kept<kMostKept>(p.width, [&](int j, int i) { out[i] = normed.kept[j] * normed.scale * normed.weights[j]; });
}

// Moves 12 bytes a value and 2 a term.
template <int kXTerms>
__global__ void __launch_bounds__(kMostNormThreads) split_norm(const SplitNorm p) {
  Normed<kUsuallyKept> normed;
  add_and_norm(p.p, normed);
#pragma unroll
  for (int j = 0; j < kUsuallyKept; ++j) {
    const int i = static_cast<int>(threadIdx.x + j * blockDim.x), group = i / kWarp;
    if (group * kWarp >= p.to.n_columns) break;  // the same for a whole warp
    const float value = i < p.p.width ? normed.kept[j] * normed.scale * normed.weights[j] : 0;
    put_column<kXTerms>(p.to, static_cast<int>(blockIdx.x), group, value);
  }
}

// 12 bytes a value.
__global__ void __launch_bounds__(kThreads) gated_activation(const GatedActivation p) {
  let_next_begin();
  wait_for_previous();
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + static_cast<int64_t>(threadIdx.x);
  if (i < p.n) p.out[i] = activated(p.gate[i], p.activation) * p.up[i];
}

// 8 bytes a value.
__global__ void __launch_bounds__(kThreads) select_rows(const SelectRows p) {
  let_next_begin();
  wait_for_previous();
  const float* x = p.x + static_cast<int64_t>(p.rows[blockIdx.x]) * p.width;
  float* out = p.out + static_cast<int64_t>(blockIdx.x) * p.width;
  for (int i = static_cast<int>(threadIdx.x); i < p.width; i += kThreads) out[i] = x[i];
}

int norm_threads(int width) {
  check(width <= kMostKept * kMostNormThreads, "a row as wide as the kernels know");
  return std::min(kMostNormThreads, parts_of(width, kUsuallyKept * kWarp) * kWarp);
}

}  // namespace

void launch_rms_norm(const RmsNorm& p, Stream stream) {
  launch_early(rms_norm, {{p.n_rows}, norm_threads(p.width), sizeof(NormShared), stream}, p);
}

void launch_add_and_norm(const AddAndNorm& p, Stream stream) {
  launch_early(add_and_norm, {{p.n_rows}, norm_threads(p.width), sizeof(NormShared), stream}, p);
}

void launch_split_norm(const SplitNorm& p, Stream stream) {
  const int n_threads = norm_threads(p.p.width);
  check(p.to.n_columns <= kUsuallyKept * n_threads, "threads for all columns, also where x has none");
  launch_early(p.to.n_terms == 1 ? split_norm<1> : split_norm<kTerms>,
               {{p.p.n_rows}, n_threads, sizeof(NormShared), stream}, p);
}

void launch_gated_activation(const GatedActivation& p, Stream stream) {
  launch_early(gated_activation, {{parts_of(p.n, kThreads)}, kThreads, 0, stream}, p);
}

void launch_select_rows(const SelectRows& p, Stream stream) {
  launch_early(select_rows, {{p.n_rows}, kThreads, 0, stream}, p);
}

}  // namespace ferry::cuda
