// Rows of x, split into terms. A lane has eight columns of a row: what it will have of them in a product.

#include "kernels/cuda/bf16_terms.h"
#include "kernels/cuda/language.h"
#include "kernels/cuda/x_values.h"

namespace ferry::cuda {
namespace {

constexpr int kThreads = 128;
constexpr int kColumns = 8;  // of a thread

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
      const float4 x = four_of_x(p.from, row, group * 32 + half * 16 + t * 4);
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
      // In this order wherever a group is summed (matmul_kernel.h).
      float of_half[2];
#pragma unroll
      for (int half = 0; half < 2; ++half)
        of_half[half] = sum_of_pair(pairs[2 * half][term]) + sum_of_pair(pairs[2 * half + 1][term]);
      sum += of_half[0] + of_half[1];
    }
  }
  sum += __shfl_xor_sync(kAllLanes, sum, 1);
  sum += __shfl_xor_sync(kAllLanes, sum, 2);
  if (is_there && t == 0) {
    uint32_t terms[kTerms];  // each twice
    split(sum, sum, terms);
    uint32_t* to = p.to.sums + static_cast<int64_t>(group) * p.to.n_rows + row;
    to[0] = low_halves(terms[0], terms[1]);
    if (kXTerms > 1) to[static_cast<int64_t>(p.to.n_columns / 32) * p.to.n_rows] = terms[2] & 0xffff;
  }
}

}  // namespace

void launch_split_x(const SplitX& p, Stream stream) {
  const LaunchShape shape = {{parts_of(p.to.n_columns, kThreads * kColumns), p.from.n_rows}, kThreads, 0, stream};
  launch_early(p.to.n_terms == 1 ? split_x<1> : split_x<kTerms>, shape, p);
}

}  // namespace ferry::cuda
