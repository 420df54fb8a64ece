#pragma once
// Values of x where a weight has columns.

#include "kernels/cuda/language.h"
#include "kernels/cuda/x_terms.h"

namespace ferry::cuda {

// Four values from `column` on, a multiple of four; zeros where x has none.
__device__ __forceinline__ float4 four_of_x(const XRows& rows, int row, int column) {
  const int first = column - rows.first_col, n_in = rows.n_in;
  const float* x = rows.x + static_cast<int64_t>(row) * n_in;
  if (row >= rows.n_rows) return make_float4(0, 0, 0, 0);
  if (n_in % 4 == 0 && rows.first_col % 4 == 0)
    return first >= 0 && first < n_in ? *reinterpret_cast<const float4*>(x + first) : make_float4(0, 0, 0, 0);
  const auto at = [&](int i) { return i >= 0 && i < n_in ? x[i] : 0.0f; };
  return make_float4(at(first), at(first + 1), at(first + 2), at(first + 3));
}

}  // namespace ferry::cuda
