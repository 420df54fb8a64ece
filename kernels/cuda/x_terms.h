#pragma once
// The rows of x as the tensor cores take them: bf16 terms (bf16_terms.h), made once for all products that read them.

#include <cstdint>

#include "core/seam/ops.h"
#include "kernels/cuda/runtime.h"

namespace ferry::cuda {

// Columns come as in the rows of a bf16 weight (planar_weight.h): group by group, lane by lane; zeros where x has none.
struct XTerms {
  uint16_t* terms = nullptr;  // [n_terms][n_rows][n_columns]
  // The sum of a group's terms, as pairs of bf16 terms: the two first, and of three the last.
  uint32_t* sums = nullptr;  // [n_terms == 1 ? 1 : 2][n_columns / 32][n_rows]
  int n_terms = 1;
  int n_rows = 0;     // that there is room for, a multiple of 4: the arrays' stride
  int n_columns = 0;  // a multiple of 256
};

struct XRows {
  const float* x = nullptr;  // [n_rows, n_in]
  int n_rows = 0;
  int n_in = 0;
  int first_col = 0;  // before it are columns that x does not have
};

// Moves 4 bytes a value of x and 2 a term.
struct SplitX {
  XRows from;
  XTerms to;
};
void launch_split_x(const SplitX& p, Stream stream);

// Terms of what operations make, without a way through memory as f32.
struct SplitActivation {
  XRows gate, up;  // of the same shape
  Activation activation = Activation::silu;
  XTerms to;
};
void launch_split_activation(const SplitActivation& p, Stream stream);

constexpr int kWidestSplitNorm = 8192;
struct SplitNorm {
  AddAndNorm p;  // but for `out`
  XTerms to;     // their first column is x's
};
void launch_split_norm(const SplitNorm& p, Stream stream);

}  // namespace ferry::cuda
