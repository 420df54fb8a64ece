#pragma once
// Whole decoders of a few kilobytes with random weights and a byte-level tokenizer, for tests of what runs models:
//   GgufContent content = tiny_model({.n_heads = 9, .n_kv_heads = 3, .type = TensorType::q4_1});
//   const std::vector<std::byte> bytes = gguf_bytes(content);
//   const GgufFile file("tiny", bytes);
// or write_gguf(content, path).

#include <string>

#include "tests/support/gguf_writer.h"

namespace ferry {

enum class OutputMatrix : uint8_t { own, embedding };

struct TinyModel {
  std::string family = "llama";  // llama, qwen2 (biases), qwen3 (norms of q and k)
  int n_layers = 2;
  int width = 64;
  int n_heads = 4;
  int n_kv_heads = 2;
  int head_dim = 16;
  int ffn_width = 96;
  int n_vocab = 320;  // at least 259: three control tokens, then every byte, then merged pairs of letters
  int max_context = 512;
  TensorType type = TensorType::f32;            // of the layers' matrices; their rows must hold whole blocks
  TensorType embedding_type = TensorType::f32;  // and of the output matrix
  OutputMatrix output = OutputMatrix::embedding;
  uint64_t seed = 1;
};

GgufContent tiny_model(const TinyModel& model = {});

// Token ids of a tiny model.
constexpr int kTinyEndOfText = 0;
constexpr int kTinyBegin = 1;  // "<|im_start|>"
constexpr int kTinyEnd = 2;    // "<|im_end|>"
constexpr int kTinyFirstByte = 3;

}  // namespace ferry
