#include "tests/support/gguf_exercise.h"

#include "core/model/gguf_text.h"
#include "core/model/tensor_table.h"

namespace ferry {
namespace {

void read_all(const MatrixView& matrix) {
  std::vector<float> row(static_cast<size_t>(matrix.n_cols));
  const MatrixSlice slice{matrix, 0, matrix.n_rows, 0, matrix.n_cols};
  for (int r = 0; r < matrix.n_rows; ++r) dequantize_row(slice, r, row);
}

}  // namespace

void exercise(const GgufFile& file) {
  for (const GgufTensor& tensor : file.tensors()) read_all(tensor.matrix);
  model_hash(file);
  const ModelConfig config = config_of(file);
  tensors_of(file, config);
  tokenizer_data_of(file);
}

}  // namespace ferry
