#pragma once
// A model file, opened and understood: everything about it but the weights in a form that a device wants.

#include <string>

#include "core/kv/shard.h"
#include "core/model/gguf.h"
#include "core/model/model_config.h"
#include "core/model/tensor_table.h"

namespace ferry {

struct ModelFile {
  // Error, in one line, when the file is damaged or of a kind that Ferry does not know.
  explicit ModelFile(const std::string& path) : ModelFile(GgufFile(path)) {}
  explicit ModelFile(GgufFile opened);

  GgufFile gguf;
  ModelConfig config;
  ModelTensors tensors;  // views of `gguf`
  TpShape tp_shape;
  uint64_t hash = 0;
};

}  // namespace ferry
