#pragma once
// Which part of each matrix a rank computes with: what load_weights reads, and how many bytes that is, without reading.

#include "core/kv/shard.h"
#include "core/model/model_config.h"
#include "core/model/tensor_table.h"

namespace ferry {

struct LayerSlices {
  MatrixSlice q, k, v;        // [local heads · head_dim, width]
  MatrixSlice attention_out;  // [width, local heads · head_dim]
  MatrixSlice gate, up;       // [local ffn, width]
  MatrixSlice down;           // [width, local ffn]
};

Range values_of(Range heads, int head_dim);  // of a token
MatrixSlice rows_of(const MatrixView& matrix, Range rows);
MatrixSlice columns_of(const MatrixView& matrix, Range columns);
LayerSlices slices_of(const LayerTensors& layer, int head_dim, const TpSlice& slice);

// Bytes of all matrices of a rank, as the file has them: what a device makes of them takes about as much.
size_t weight_bytes_of(const ModelTensors& tensors, const ModelConfig& config, const TpSlice& slice);
// The same where what is multiplied with becomes bf16; a table that is only an embedding stays as the file has it.
size_t bf16_weight_bytes_of(const ModelTensors& tensors, const ModelConfig& config, const TpSlice& slice);

}  // namespace ferry
