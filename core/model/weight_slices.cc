#include "core/model/weight_slices.h"

namespace ferry {

namespace {

size_t bytes_of(const MatrixSlice& slice) {
  const size_t rows = static_cast<size_t>(slice.n_rows()) * slice.whole.row_bytes;
  return rows * static_cast<size_t>(slice.n_cols()) / static_cast<size_t>(slice.whole.n_cols);
}

size_t bf16_bytes_of(const MatrixSlice& slice) {
  return sizeof(uint16_t) * static_cast<size_t>(slice.n_rows()) * static_cast<size_t>(slice.n_cols());
}

// `bytes_multiplied` of each matrix that is multiplied with, and what the file has of a table that is not.
size_t sum_of(const ModelTensors& tensors, const ModelConfig& config, const TpSlice& slice,
              size_t (*bytes_multiplied)(const MatrixSlice&)) {
  size_t sum = bytes_multiplied(rows_of(tensors.output, slice.vocab));
  if (tensors.embedding.data != tensors.output.data) sum += bytes_of(rows_of(tensors.embedding, slice.vocab));
  for (const LayerTensors& layer : tensors.layers) {
    const LayerSlices s = slices_of(layer, config.head_dim, slice);
    for (const MatrixSlice* matrix : {&s.q, &s.k, &s.v, &s.attention_out, &s.gate, &s.up, &s.down})
      sum += bytes_multiplied(*matrix);
  }
  return sum;
}

}  // namespace

Range values_of(Range heads, int head_dim) { return {heads.begin * head_dim, heads.end * head_dim}; }

MatrixSlice rows_of(const MatrixView& m, Range rows) { return {m, rows.begin, rows.end, 0, m.n_cols}; }

MatrixSlice columns_of(const MatrixView& m, Range columns) { return {m, 0, m.n_rows, columns.begin, columns.end}; }

LayerSlices slices_of(const LayerTensors& layer, int head_dim, const TpSlice& slice) {
  const Range q = values_of(slice.q_heads, head_dim), kv = values_of(slice.kv_heads, head_dim);
  return {.q = rows_of(layer.q, q),
          .k = rows_of(layer.k, kv),
          .v = rows_of(layer.v, kv),
          .attention_out = columns_of(layer.attention_out, q),
          .gate = rows_of(layer.gate, slice.ffn),
          .up = rows_of(layer.up, slice.ffn),
          .down = columns_of(layer.down, slice.ffn)};
}

size_t weight_bytes_of(const ModelTensors& tensors, const ModelConfig& config, const TpSlice& slice) {
  return sum_of(tensors, config, slice, bytes_of);
}

size_t bf16_weight_bytes_of(const ModelTensors& tensors, const ModelConfig& config, const TpSlice& slice) {
  return sum_of(tensors, config, slice, bf16_bytes_of);
}

}  // namespace ferry
