// Rows of x, split into terms. A lane has eight columns of a row: what it will have of them in a product.

#include "kernels/cuda/bf16_terms.h"
#include "kernels/cuda/language.h"
#include "kernels/cuda/x_terms.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kColumns = 8;  // of a thread

// Four values from `column` on; zeros where there are none.
__device__ __forceinline__ float4 four_of_x(const SplitX& p, int row, int column) {
  const int first = column - p.first_col;
  const float* x = p.x + static_cast<int64_t>(row) * p.n_in;
  if (p.n_in % 4 == 0 && p.first_col % 4 == 0)
    return first >= 0 && first < p.n_in ? *reinterpret_cast<const float4*>(x + first) : make_float4(0, 0, 0, 0);
  const auto at = [&](int i) { return i >= 0 && i < p.n_in ? x[i] : 0.0f; };
  return make_float4(at(first), at(first + 1), at(first + 2), at(first + 3));
}

template <int kXTerms>
__global__ void __launch_bounds__(kThreads) split_x(const SplitX p) {
  let_next_begin();
  wait_for_previous();
  const int part = static_cast<int>(blockIdx.x) * kThreads + static_cast<int>(threadIdx.x);  // of a row
  const int row = static_cast<int>(blockIdx.y);
  const int group = part / 4, t = part % 4;
  const bool is_there = group * 32 < p.to.n_columns;

  float sum = 0;
  if (is_there) {
    uint32_t pairs[4][kXTerms];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float4 x = four_of_x(p, row, group * 32 + half * 16 + t * 4);
      split(x.x, x.y, pairs[2 * half]);
      split(x.z, x.w, pairs[2 * half + 1]);
    }
#pragma unroll
    for (int term = 0; term < kXTerms; ++term) {
      uint16_t* to = p.to.terms + (static_cast<int64_t>(term) * p.to.n_rows + row) * p.to.n_columns + part * kColumns;
      *reinterpret_cast<uint4*>(to) = make_uint4(pairs[0][term], pairs[1][term], pairs[2][term], pairs[3][term]);
    }
#pragma unroll
    for (int term = kXTerms - 1; term >= 0; --term) {
#pragma unroll
      for (int i = 0; i < 4; ++i) sum += low_of_pair(pairs[i][term]) + high_of_pair(pairs[i][term]);
    }
  }
  sum += __shfl_xor_sync(kAllLanes, sum, 1);
  sum += __shfl_xor_sync(kAllLanes, sum, 2);
  if (is_there && t == 0) {
    uint32_t terms[kTerms];  // each twice
    split(sum, sum, terms);
    uint32_t* to = p.to.sums + static_cast<int64_t>(group) * p.to.n_rows + row;
    to[0] = (terms[0] & 0xffff) | terms[1] << 16;
    if (kXTerms > 1) to[static_cast<int64_t>(p.to.n_columns / 32) * p.to.n_rows] = terms[2] & 0xffff;
  }
}

}  // namespace

void launch_split_x(const SplitX& p, Stream stream) {
  const LaunchShape shape = {{parts_of(p.to.n_columns, kThreads * kColumns), p.n_rows}, kThreads, 0, stream};
  launch_early(p.to.n_terms == 1 ? split_x<1> : split_x<kTerms>, shape, p);
}

}  // namespace ferry::cuda
