#pragma once
// A tiny model in memory, opened.

#include <memory>

#include "core/model/model_file.h"
#include "tests/support/tiny_model.h"

namespace ferry {

class TinyFile {
 public:
  explicit TinyFile(const TinyModel& model = {}) : TinyFile(tiny_model(model)) {}
  explicit TinyFile(const GgufContent& content) : bytes_(gguf_bytes(content)), file_(GgufFile("tiny", bytes_)) {}
  const ModelFile& operator*() const { return file_; }

 private:
  const std::vector<std::byte> bytes_;
  const ModelFile file_;
};

// 9 query heads over 3 KV heads, as SmolLM2 has them: no degree but 3 divides everything.
inline TinyModel nine_heads() {
  return {.n_layers = 3, .width = 72, .n_heads = 9, .n_kv_heads = 3, .head_dim = 8, .ffn_width = 80, .n_vocab = 301};
}

}  // namespace ferry
