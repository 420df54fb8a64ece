#pragma once
// The kernels, one launch each. All pointers are the device's; a launch computes its shape from counts that the host
// has, and reads nothing.

#include "core/seam/ops.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/planar_weight.h"
#include "kernels/cuda/runtime.h"

namespace ferry::cuda {

void launch_embed(const Embed& p, const WeightView& table, Stream stream);
void launch_rms_norm(const RmsNorm& p, Stream stream);
void launch_rotate_and_store(const RotateAndStore& p, Stream stream);
void launch_gated_activation(const GatedActivation& p, Stream stream);
void launch_add_and_norm(const AddAndNorm& p, Stream stream);
void launch_select_rows(const SelectRows& p, Stream stream);

// Columns are summed in ranges, one after the other, and the ranges' sums in order: how many depends on the matrix
// alone, so a row's products are the same bits whatever rows are beside it.
int column_ranges(int n_tiles, int n_groups);
constexpr int kMostSplitRows = 64;  // more rows keep a card busy without sharing the columns of a row out

// `partial` [column_ranges][kMostSplitRows][n_out].
void launch_matmul(const Matmul& p, const WeightView& w, Products products, float* partial, Stream stream);

// Sequences of one row share their keys out over blocks, whose results are merged in order; how they are shared out
// depends on the sequence's length alone. `partial` is room for those results: where one sequence's may not fit, its
// row is one block's.
struct AttentionMeans {
  Products products = Products::f32;
  float* partial = nullptr;
  size_t n_floats = 0;
  int n_multiprocessors = 1;
};
void launch_attention(const Attention& p, const AttentionMeans& means, Stream stream);

}  // namespace ferry::cuda
