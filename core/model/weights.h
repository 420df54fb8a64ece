#pragma once
// The slice of a model's weights that one rank computes with, in the form that its Ops want.

#include <memory>
#include <vector>

#include "core/kv/shard.h"
#include "core/model/model_config.h"
#include "core/model/tensor_table.h"
#include "core/seam/ops.h"

namespace ferry {

struct LayerWeights {
  DeviceArray<float> attention_norm, ffn_norm;            // [width]
  std::unique_ptr<Weight> q, k, v;                        // [local heads · head_dim, width]
  DeviceArray<float> q_bias, k_bias, v_bias;              // [local heads · head_dim] or empty
  DeviceArray<float> q_norm, k_norm;                      // [head_dim] or empty
  std::unique_ptr<Weight> attention_out;                  // [width, local heads · head_dim]
  DeviceArray<float> post_attention_norm, post_ffn_norm;  // [width] or empty
  std::unique_ptr<Weight> gate, up;                       // [local ffn, width]
  std::unique_ptr<Weight> down;                           // [width, local ffn]
};

struct ModelWeights {
  std::unique_ptr<Weight> output;         // [local vocab, width]
  std::unique_ptr<Weight> own_embedding;  // null where the output matrix serves as the embedding
  DeviceArray<float> output_norm;         // [width]
  std::vector<LayerWeights> layers;

  const Weight& embedding() const { return own_embedding ? *own_embedding : *output; }  // [local vocab, width]
  size_t bytes() const;  // of all matrices, as prepared
};

// How a model is cut, with FFN columns in whole quantized blocks of its `down` matrices.
TpShape tp_shape_of(const ModelConfig& config, const ModelTensors& tensors);

ModelWeights load_weights(const ModelTensors& tensors, const ModelConfig& config, const TpSlice& slice, Ops& ops);

}  // namespace ferry
