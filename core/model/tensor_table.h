#pragma once
// The tensors of a decoder, found by name and checked against the shapes that the configuration asks for. A vector is a
// matrix of one row. What a family does not have has no data.

#include <vector>

#include "core/model/gguf.h"
#include "core/model/model_config.h"
#include "core/model/tensor.h"

namespace ferry {

struct LayerTensors {
  MatrixView attention_norm;                      // [width]
  MatrixView q, k, v;                             // [heads · head_dim, width]
  MatrixView q_bias, k_bias, v_bias;              // [heads · head_dim]; may be absent
  MatrixView q_norm, k_norm;                      // [head_dim]; may be absent
  MatrixView attention_out;                       // [width, n_heads · head_dim]
  MatrixView post_attention_norm, post_ffn_norm;  // [width]; may be absent
  MatrixView ffn_norm;                            // [width]
  MatrixView gate, up;                            // [ffn_width, width]
  MatrixView down;                                // [width, ffn_width]
};

struct ModelTensors {
  MatrixView embedding;    // [n_vocab, width]
  MatrixView output_norm;  // [width]
  MatrixView output;       // [n_vocab, width]; the embedding where the file has no output matrix of its own
  std::vector<LayerTensors> layers;
};

// Error naming the tensor and both shapes (or types) when one is missing or not as expected.
ModelTensors tensors_of(const GgufFile& file, const ModelConfig& config);

}  // namespace ferry
