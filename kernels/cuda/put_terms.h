#pragma once
// How terms of x (x_terms.h) come to their places. Each value is split alike, and the values of a group are added up in
// one order, however a kernel has shared them out: a row's products are the same bits whoever has made its terms.
// matmul_stages.h does so, too, where blocks split x themselves.

#include "kernels/cuda/bf16_terms.h"
#include "kernels/cuda/x_terms.h"

namespace ferry::cuda {

template <int kXTerms>
__device__ __forceinline__ void put_sum(const XTerms& to, int row, int group, float sum) {
  uint32_t terms[kTerms];  // each twice
  split(sum, sum, terms);
  const auto at = static_cast<uint32_t>(group * to.n_rows + row);
  to.sums[at] = low_halves(terms[0], terms[1]);
  if (kXTerms > 1) to.sums[at + static_cast<uint32_t>(to.n_columns / 32 * to.n_rows)] = terms[2] & 0xffff;
}

// A lane has eight columns of a row: what it will have of them in a product. values(column): four from there on; zeros
// where x has none. All lanes of a warp call this.
template <int kXTerms, class Values>
__device__ __forceinline__ void put_eights(const XTerms& to, int row, int eighth, const Values& values) {
  const int group = eighth / 4, t = eighth % 4;
  const bool is_there = group * 32 < to.n_columns;
  float sum = 0;
  if (is_there) {
    uint32_t pairs[4][kXTerms];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const float4 x = values(group * 32 + half * 16 + t * 4);
      split(x.x, x.y, pairs[2 * half]);
      split(x.z, x.w, pairs[2 * half + 1]);
    }
#pragma unroll
    for (int term = 0; term < kXTerms; ++term) {
      uint16_t* at = to.terms + (static_cast<int64_t>(term) * to.n_rows + row) * to.n_columns + eighth * 8;
      *reinterpret_cast<uint4*>(at) = make_uint4(pairs[0][term], pairs[1][term], pairs[2][term], pairs[3][term]);
    }
#pragma unroll
    for (int term = kXTerms - 1; term >= 0; --term) {
      float of_half[2];
#pragma unroll
      for (int half = 0; half < 2; ++half)
        of_half[half] = sum_of_pair(pairs[2 * half][term]) + sum_of_pair(pairs[2 * half + 1][term]);
      sum += of_half[0] + of_half[1];
    }
  }
  sum += __shfl_xor_sync(kAllLanes, sum, 1);
  sum += __shfl_xor_sync(kAllLanes, sum, 2);
  if (is_there && t == 0) put_sum<kXTerms>(to, row, group, sum);
}

// A lane has one column of a group, a warp all of them.
template <int kXTerms>
__device__ __forceinline__ void put_column(const XTerms& to, int row, int group, float value) {
  const int column = static_cast<int>(threadIdx.x) % kWarp;
  const int half = column / 16, t = column % 16 / 4;
  const uint32_t first = static_cast<uint32_t>(row) * static_cast<uint32_t>(to.n_columns);
  const uint32_t at = first + static_cast<uint32_t>(group * 32 + t * 8 + half * 4 + column % 4);
  float terms[kXTerms];
#pragma unroll
  for (int term = 0; term < kXTerms; ++term) {
    const uint32_t bits = bf16_pair(value, 0);
    to.terms[at + static_cast<uint32_t>(term * to.n_rows) * static_cast<uint32_t>(to.n_columns)] =
        static_cast<uint16_t>(bits);
    terms[term] = low_of_pair(bits);
    value -= terms[term];
  }
  float sum = 0;
#pragma unroll
  for (int term = kXTerms - 1; term >= 0; --term) {
    terms[term] += __shfl_xor_sync(kAllLanes, terms[term], 1);
    terms[term] += __shfl_xor_sync(kAllLanes, terms[term], 2);
    sum += terms[term] + __shfl_xor_sync(kAllLanes, terms[term], 16);
  }
  sum += __shfl_xor_sync(kAllLanes, sum, 4);
  sum += __shfl_xor_sync(kAllLanes, sum, 8);
  if (column == 0) put_sum<kXTerms>(to, row, group, sum);
}

}  // namespace ferry::cuda
