#include "core/model/weights.h"

#include "core/model/weight_slices.h"

namespace ferry {

namespace {

// [columns) of a matrix of one row, as floats; nothing where the model has no such vector.
DeviceArray<float> vector_of(const MatrixView& m, Range columns, Device& device) {
  if (!m.data) return {};
  std::vector<float> values(columns.size());
  dequantize_row(columns_of(m, columns), 0, values);
  return {device, values};
}
DeviceArray<float> vector_of(const MatrixView& m, Device& device) { return vector_of(m, {0, m.n_cols}, device); }

LayerWeights load_layer(const LayerTensors& t, int head_dim, const TpSlice& slice, Ops& ops) {
  const Range q = values_of(slice.q_heads, head_dim), kv = values_of(slice.kv_heads, head_dim);
  const LayerSlices slices = slices_of(t, head_dim, slice);
  Device& device = ops.device();
  LayerWeights w;
  w.attention_norm = vector_of(t.attention_norm, device);
  w.q = ops.prepare(slices.q);
  w.k = ops.prepare(slices.k);
  w.v = ops.prepare(slices.v);
  w.q_bias = vector_of(t.q_bias, q, device);
  w.k_bias = vector_of(t.k_bias, kv, device);
  w.v_bias = vector_of(t.v_bias, kv, device);
  w.q_norm = vector_of(t.q_norm, device);
  w.k_norm = vector_of(t.k_norm, device);
  w.attention_out = ops.prepare(slices.attention_out);
  w.post_attention_norm = vector_of(t.post_attention_norm, device);
  w.ffn_norm = vector_of(t.ffn_norm, device);
  w.gate = ops.prepare(slices.gate);
  w.up = ops.prepare(slices.up);
  w.down = ops.prepare(slices.down);
  w.post_ffn_norm = vector_of(t.post_ffn_norm, device);
  return w;
}

}  // namespace

size_t ModelWeights::bytes() const {
  size_t sum = output->bytes() + (own_embedding ? own_embedding->bytes() : 0);
  for (const LayerWeights& w : layers) {
    for (const auto* matrix : {&w.q, &w.k, &w.v, &w.attention_out, &w.gate, &w.up, &w.down}) sum += (*matrix)->bytes();
  }
  return sum;
}

TpShape tp_shape_of(const ModelConfig& config, const ModelTensors& tensors) {
  int unit = 1;
  for (const LayerTensors& layer : tensors.layers) unit = std::max(unit, format_of(layer.down.type).block_values);
  return {.n_heads = config.n_heads,
          .n_kv_heads = config.n_kv_heads,
          .ffn_width = config.ffn_width,
          .ffn_unit = unit,
          .n_vocab = config.n_vocab};
}

ModelWeights load_weights(const ModelTensors& tensors, const ModelConfig& config, const TpSlice& slice, Ops& ops) {
  ModelWeights w;
  w.output = ops.prepare(rows_of(tensors.output, slice.vocab));
  if (tensors.embedding.data != tensors.output.data)
    w.own_embedding = ops.prepare_table(rows_of(tensors.embedding, slice.vocab));
  w.output_norm = vector_of(tensors.output_norm, ops.device());
  for (const LayerTensors& layer : tensors.layers) w.layers.push_back(load_layer(layer, config.head_dim, slice, ops));
  return w;
}

}  // namespace ferry
