#pragma once
// The kernels but those of products (matmul.h), one launch each. All pointers are the device's; a launch computes its
// shape from counts that the host has, and reads nothing.

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

// Sequences of one row share their keys out over blocks, whose results are merged in order; how they are shared out
// depends on the sequence's length alone. `partial` is room for those results: where one sequence's may not fit, its
// row is one block's.
struct AttentionMeans {
  Products products = Products::f32;
  float* partial = nullptr;
  size_t n_floats = 0;
  int n_multiprocessors = 1;
  size_t most_shared_bytes = 0;  // of a block
};
void launch_attention(const Attention& p, const AttentionMeans& means, Stream stream);

// `scratch` holds what blocks say of parts of rows: kTopScratchFloats of them are enough for any vocabulary, and for
// more than a batch of sequences at once of most; more rows take turns.
constexpr size_t kTopScratchFloats = size_t{512} << 10;
void launch_top_logits(const TopLogits& p, float* scratch, Stream stream);

}  // namespace ferry::cuda
