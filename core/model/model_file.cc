#include "core/model/model_file.h"

#include <utility>

#include "core/model/weights.h"

namespace ferry {

ModelFile::ModelFile(GgufFile opened)
    : gguf(std::move(opened)),
      config(config_of(gguf)),
      tensors(tensors_of(gguf, config)),
      tp_shape(tp_shape_of(config, tensors)),
      hash(model_hash(gguf)) {}

}  // namespace ferry
