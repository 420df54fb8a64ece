#pragma once
// What a decoder is, as data. A family (llama, qwen3, …) is a way to fill this in and a table of tensor names; the
// forward pass reads nothing else.

#include <cstdint>
#include <string>
#include <vector>

#include "core/seam/ops.h"

namespace ferry {

class GgufFile;

struct ModelConfig {
  std::string family;  // general.architecture
  std::string name;
  int n_layers = 0;
  int width = 0;  // of the residual stream
  int ffn_width = 0;
  int n_heads = 0;  // query heads
  int n_kv_heads = 0;
  int head_dim = 0;
  int n_vocab = 0;
  int max_context = 0;  // tokens
  float rms_epsilon = 0;
  float attention_scale = 0;  // 1/sqrt(head_dim), if the family does not say otherwise
  float embedding_scale = 1;
  Activation activation = Activation::silu;
  RopePairs rope_pairs = RopePairs::interleaved;
  int n_rotated = 0;                       // values of a head that RoPE turns
  std::vector<float> inverse_frequencies;  // [n_rotated / 2], with the file's scaling applied
};

// Error when the file's metadata are missing, contradict each other or name a family Ferry does not know.
ModelConfig config_of(const GgufFile& file);

}  // namespace ferry
