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
void launch_rope(const Rope& p, Stream stream);
void launch_write_kv(const WriteKv& p, Stream stream);
void launch_gated_activation(const GatedActivation& p, Stream stream);
void launch_add(const Add& p, Stream stream);
void launch_select_rows(const SelectRows& p, Stream stream);

// Columns are summed in ranges, one after the other, and the ranges' sums in order: how many depends on the matrix
// alone, so a row's products are the same bits whatever rows are beside it.
int column_ranges(int n_tiles, int n_groups);
constexpr int kMostSplitRows = 64;  // more rows keep a card busy without sharing the columns of a row out

// `partial` [column_ranges][kMostSplitRows][n_out].
void launch_matmul(const Matmul& p, const WeightView& w, Products products, float* partial, Stream stream);

// Keys are attended to in spans of so many tokens, and the spans' results are merged in order.
constexpr int kSpanTokens = 256;

// Sequences of one row share their spans out over blocks, where `partial` has room for all of them: spans_of(batch)
// times n_q_heads times (head_dim + 2) floats.
int spans_of(const Attention& p);
struct AttentionScratch {
  float* partial = nullptr;
  size_t n_floats = 0;
};
void launch_attention(const Attention& p, const AttentionScratch& scratch, Stream stream);

}  // namespace ferry::cuda
