#pragma once
// y = x · wᵀ on the tensor cores, with f32's precision (bf16_terms.h) and weights as they are kept: their codes, which
// bf16 holds exactly, are multiplied with the terms of x, and the sums of each group of columns with its scale.
//
// A block computes four tiles of weight rows, one a warp, by 8 or 32 rows of x. The weights go from memory to
// registers; the terms of x are made once for the block, in shared memory. One kernel serves decode and prefill:
//   few rows   8 rows of x, blocks share out the ranges of columns: bound by the weights' bytes
//   many rows  32 rows of x a block, all ranges in it: bound by the tensor cores, 3 products for one (f16: 5, f32: 6)

#include "kernels/cuda/launches.h"
#include "kernels/cuda/weight_codes.h"

namespace ferry::cuda {

constexpr int kMatmulWarps = 4;
constexpr int kMatmulThreads = kMatmulWarps * kWarp;
constexpr int kColumnsOfTile = 8;  // rows of x

struct MatmulTask {
  Matmul p;
  WeightView w;
  Products products = Products::f32;
  float* partial = nullptr;  // [n_ranges][n_rows][n_out]: ranges are shared out
  int n_ranges = 1;
};

template <int kXTiles, int kXTerms>
struct MatmulShared {
  static constexpr int kGroups = kXTiles == 1 ? 4 : 2;  // staged at once
  uint2 x[kGroups][2][kXTiles][kXTerms][kWarp];         // as mma_bf16 wants it
  float sums[kGroups][kXTiles * kColumnsOfTile];        // of a row's columns in a group
};

// Four values of a row of x from `column` of the padded columns on; zeros where there are none.
__device__ inline float4 four_of_x(const MatmulTask& task, int row, int column) {
  const int n_in = task.w.n_cols, first = column - task.w.first_col;
  const float* x = task.p.x + static_cast<int64_t>(row) * n_in;
  const auto at = [&](int i) { return row < task.p.n_rows && i >= 0 && i < n_in ? x[i] : 0.0f; };
  return make_float4(at(first), at(first + 1), at(first + 2), at(first + 3));
}

// The terms of x's rows from `x_row` on, for the groups from `group` to `end`.
template <int kXTiles, int kXTerms>
__device__ inline void stage(const MatmulTask& task, int x_row, int group, int end,
                             MatmulShared<kXTiles, kXTerms>& shared) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int item = warp; item < (end - group) * kXTiles; item += kMatmulWarps) {
    const int g = item / kXTiles, tile = item % kXTiles;
    const int row = tile * kColumnsOfTile + lane / 4;
    float sum = 0;
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float4 x = four_of_x(task, x_row + row, (group + g) * kGroupColumns + half * 16 + lane % 4 * 4);
      uint32_t even[kXTerms], odd[kXTerms];
      split(x.x, x.z, even);
      split(x.y, x.w, odd);
      float heard = 0;  // the sum of what the terms hold
#pragma unroll
      for (int term = 0; term < kXTerms; ++term) {
        shared.x[g][half][tile][term][lane] = make_uint2(even[term], odd[term]);
        heard +=
            (low_of_pair(even[term]) + high_of_pair(even[term])) + (low_of_pair(odd[term]) + high_of_pair(odd[term]));
      }
      sum += kXTerms == kTerms ? (x.x + x.y) + (x.z + x.w) : heard;
    }
    sum += __shfl_xor_sync(kAllLanes, sum, 1);
    sum += __shfl_xor_sync(kAllLanes, sum, 2);
    if (lane % 4 == 0) shared.sums[g][row] = sum;
  }
}

// part += codes · x for 16 columns, the smallest terms first.
template <Codes kCodes, int kXTerms>
__device__ __forceinline__ void multiply(const Fragments<kCodes>& codes, int half, const uint2 (&x)[kXTerms][kWarp],
                                         int lane, float (&part)[4]) {
#pragma unroll
  for (int term = kXTerms - 1; term >= 0; --term) {
    const uint2 b = x[term][lane];
#pragma unroll
    for (int code_term = kCodeTerms<kCodes> - 1; code_term >= 0; --code_term) {
      // What is left out is below 2⁻²⁴ of the product.
      if (term + code_term < kTerms) mma_bf16(part, codes.a[code_term][half], b);
    }
  }
}

// sums += the products of a tile of weights and the staged rows of x, over one group of columns.
template <Codes kCodes, int kXTiles, int kXTerms>
__device__ __forceinline__ void multiply_group(const WeightView& w, int64_t group,
                                               const MatmulShared<kXTiles, kXTerms>& shared, int staged,
                                               float (&sums)[kXTiles][4]) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  Fragments<kCodes> codes;
  load(w, group, lane, codes);
  const GroupScale scales[2] = {group_scale(w, group, lane / 4), group_scale(w, group, lane / 4 + 8)};
#pragma unroll
  for (int tile = 0; tile < kXTiles; ++tile) {
    float part[4] = {};
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      multiply(codes, half, shared.x[staged][half][tile], lane, part);
      if (kCodes == Codes::six || half == 1) {  // six bits: each half has its own scale
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          sums[tile][i] = fmaf(scales[i / 2].step[half], part[i], sums[tile][i]);
          part[i] = 0;
        }
      }
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const float x_sum = shared.sums[staged][tile * kColumnsOfTile + lane % 4 * 2 + i % 2];
      sums[tile][i] = fmaf(scales[i / 2].offset, x_sum, sums[tile][i]);
    }
  }
}

// What a thread has of a block's results: f(weight row, row of x, value).
template <int kXTiles, class F>
__device__ inline void for_each_result(const MatmulTask& task, int tile, int x_row, const float (&sums)[kXTiles][4],
                                       const F& f) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  for (int x_tile = 0; x_tile < kXTiles; ++x_tile) {
    for (int i = 0; i < 4; ++i) {
      const int out = tile * kTileRows + lane / 4 + i / 2 * 8;
      const int row = x_row + x_tile * kColumnsOfTile + lane % 4 * 2 + i % 2;
      if (out < task.w.n_rows && row < task.p.n_rows) f(out, row, sums[x_tile][i]);
    }
  }
}

template <Codes kCodes, int kXTiles, int kXTerms>
__global__ void __launch_bounds__(kMatmulThreads) matmul(const MatmulTask task) {
  using Shared = MatmulShared<kXTiles, kXTerms>;
  Shared& shared = shared_memory<Shared>();
  const WeightView& w = task.w;
  const int tile = static_cast<int>(blockIdx.x) * kMatmulWarps + static_cast<int>(threadIdx.x) / kWarp;
  const int x_row = static_cast<int>(blockIdx.y) * kXTiles * kColumnsOfTile;
  const bool is_shared_out = task.partial != nullptr;
  const int first_range = is_shared_out ? static_cast<int>(blockIdx.z) : 0;
  const int end_range = is_shared_out ? first_range + 1 : task.n_ranges;

  float totals[kXTiles][4] = {};
  for (int range = first_range; range < end_range; ++range) {
    float sums[kXTiles][4] = {};
    const int end = (range + 1) * w.n_groups / task.n_ranges;
    for (int group = range * w.n_groups / task.n_ranges; group < end; group += Shared::kGroups) {
      const int n_staged = min(Shared::kGroups, end - group);
      __syncthreads();  // all have multiplied what was staged before
      stage(task, x_row, group, group + n_staged, shared);
      __syncthreads();
      if (tile < w.n_tiles) {
        const int64_t first = static_cast<int64_t>(tile) * w.n_groups + group;
        for (int g = 0; g < n_staged; ++g) multiply_group<kCodes>(w, first + g, shared, g, sums);
      }
    }
    for (int x_tile = 0; x_tile < kXTiles; ++x_tile) {
      for (int i = 0; i < 4; ++i) totals[x_tile][i] += sums[x_tile][i];
    }
  }

  const int64_t n_out = w.n_rows;
  for_each_result(task, tile, x_row, totals, [&](int out, int row, float value) {
    if (is_shared_out) {
      task.partial[(first_range * static_cast<int64_t>(task.p.n_rows) + row) * n_out + out] = value;
    } else {
      task.p.y[row * n_out + out] = task.p.bias != nullptr ? value + task.p.bias[out] : value;
    }
  });
}

template <Codes kCodes, int kXTiles, int kXTerms>
void launch_matmul_of(const MatmulTask& task, Stream stream) {
  const LaunchShape shape = {{parts_of(task.w.n_tiles, kMatmulWarps), parts_of(task.p.n_rows, kXTiles * kColumnsOfTile),
                              task.partial != nullptr ? task.n_ranges : 1},
                             kMatmulThreads,
                             sizeof(MatmulShared<kXTiles, kXTerms>),
                             stream};
  launch(matmul<kCodes, kXTiles, kXTerms>, shape, task);
}

template <Codes kCodes>
void launch_matmul_of(const MatmulTask& task, Stream stream) {
  const bool is_few = task.p.n_rows <= kColumnsOfTile;
  constexpr int kXTiles = 4;
  if (task.products == Products::f32) {
    (is_few ? launch_matmul_of<kCodes, 1, kTerms> : launch_matmul_of<kCodes, kXTiles, kTerms>)(task, stream);
  } else {
    (is_few ? launch_matmul_of<kCodes, 1, 1> : launch_matmul_of<kCodes, kXTiles, 1>)(task, stream);
  }
}

// Each in a file of its own, so that they compile side by side.
extern template void launch_matmul_of<Codes::four>(const MatmulTask& task, Stream stream);
extern template void launch_matmul_of<Codes::five>(const MatmulTask& task, Stream stream);
extern template void launch_matmul_of<Codes::six>(const MatmulTask& task, Stream stream);
extern template void launch_matmul_of<Codes::eight>(const MatmulTask& task, Stream stream);
extern template void launch_matmul_of<Codes::f16>(const MatmulTask& task, Stream stream);
extern template void launch_matmul_of<Codes::bf16>(const MatmulTask& task, Stream stream);
extern template void launch_matmul_of<Codes::f32>(const MatmulTask& task, Stream stream);

}  // namespace ferry::cuda
