#include "core/model/model.h"

#include <array>

#include "core/base/check.h"

namespace ferry {

namespace {

std::vector<int> local_kv_heads(const ModelConfig& config, const TpSlice& slice) {
  const int queries_per_kv = config.n_heads / config.n_kv_heads;
  std::vector<int> heads;
  for (int q = slice.q_heads.begin; q < slice.q_heads.end; ++q)
    heads.push_back(q / queries_per_kv - slice.kv_heads.begin);
  return heads;
}

}  // namespace

Model::Model(ModelConfig config, const TpSlice& slice, ModelWeights weights, ModelLimits limits, Ops& ops,
             Communicator& group)
    : config_(std::move(config)),
      slice_(slice),
      weights_(std::move(weights)),
      limits_(limits),
      ops_(ops),
      group_(group),
      batch_(ops.device()),
      kv_head_of_(ops.device(), local_kv_heads(config_, slice)),
      inverse_frequencies_(ops.device(), config_.inverse_frequencies) {
  const size_t rows = limits.max_rows;
  const auto room_for = [&](size_t n) { return DeviceArray<float>(ops.device(), n); };
  for (auto* x : {&hidden_, &normed_, &partial_}) *x = room_for(rows * config_.width);
  for (auto* x : {&q_, &attended_}) *x = room_for(rows * slice.q_heads.size() * config_.head_dim);
  for (auto* x : {&k_, &v_}) *x = room_for(rows * slice.kv_heads.size() * config_.head_dim);
  for (auto* x : {&gate_, &up_}) *x = room_for(rows * slice.ffn.size());
  host_logits_.resize(static_cast<size_t>(limits.max_logit_rows) * slice.vocab.size());
  logits_ = room_for(host_logits_.size());
}

std::span<const float> Model::forward(const Batch& batch, const KvLayout& layout, std::span<std::byte> kv,
                                      const LayerDone& layer_done) {
  const int n_rows = batch.n_rows(), n_logits = static_cast<int>(batch.logit_rows.size());
  check(n_rows <= limits_.max_rows && n_logits <= limits_.max_logit_rows, "a batch fits the model's buffers");
  batch_.assign(batch);
  const BatchView& view = batch_.view();

  // The vocabulary is sharded: each rank embeds the tokens it holds, zeros elsewhere.
  ops_.embed({.table = &weights_.embedding(),
              .tokens = batch_.tokens(),
              .out = hidden_.data(),
              .n_rows = n_rows,
              .first_token = slice_.vocab.begin,
              .scale = config_.embedding_scale});
  group_.all_reduce_sum({hidden_.data(), static_cast<size_t>(n_rows) * config_.width});

  norm(hidden_.data(), weights_.layers[0].attention_norm, normed_.data(), n_rows);

  for (int layer = 0; layer < config_.n_layers; ++layer) {
    const LayerWeights& w = weights_.layers[layer];
    const KvLayer pages = layout.layer(kv.data(), layer);

    project_qkv(w, n_rows);
    rotate_and_store(w, pages, view);
    layer_done(layer);
    attend(w, pages, view);  // partial_ [n_rows, width]
    group_.all_reduce_sum({partial_.data(), static_cast<size_t>(n_rows) * config_.width});
    add_and_norm(w.post_attention_norm, w.ffn_norm, n_rows);

    feed_forward(w, n_rows);  // partial_ [n_rows, width]
    group_.all_reduce_sum({partial_.data(), static_cast<size_t>(n_rows) * config_.width});
    add_and_norm(w.post_ffn_norm, weights_.norm_after(layer), n_rows);
  }

  ops_.select_rows({.x = normed_.data(),
                    .rows = batch_.logit_rows(),
                    .out = partial_.data(),
                    .n_rows = n_logits,
                    .width = config_.width});
  matmul(*weights_.output, partial_.data(), logits_.data(), n_logits);
  const std::span logits = std::span(host_logits_).first(static_cast<size_t>(n_logits) * slice_.vocab.size());
  ops_.device().download(host_logits_.data(), logits_.data(), logits.size_bytes());
  return logits;
}

void Model::project_qkv(const LayerWeights& w, int n_rows) {
  const float* x = normed_.data();
  ops_.matmul(std::array<Matmul, 3>{{{w.q.get(), x, q_.data(), w.q_bias.data(), n_rows},
                                     {w.k.get(), x, k_.data(), w.k_bias.data(), n_rows},
                                     {w.v.get(), x, v_.data(), w.v_bias.data(), n_rows}}});
}

void Model::rotate_and_store(const LayerWeights& w, const KvLayer& kv, const BatchView& batch) {
  ops_.rotate_and_store({.q = q_.data(),
                         .k = k_.data(),
                         .v = v_.data(),
                         .q_norm = w.q_norm.data(),
                         .k_norm = w.k_norm.data(),
                         .epsilon = config_.rms_epsilon,
                         .inverse_frequencies = inverse_frequencies_.data(),
                         .n_rotated = config_.n_rotated,
                         .pairs = config_.rope_pairs,
                         .n_q_heads = slice_.q_heads.size(),
                         .kv = kv,
                         .batch = batch});
}

void Model::attend(const LayerWeights& w, const KvLayer& kv, const BatchView& batch) {
  ops_.attention({.q = q_.data(),
                  .out = attended_.data(),
                  .kv_head_of = kv_head_of_.data(),
                  .n_q_heads = slice_.q_heads.size(),
                  .scale = config_.attention_scale,
                  .kv = kv,
                  .batch = batch});
  matmul(*w.attention_out, attended_.data(), partial_.data(), batch.n_rows);
}

void Model::feed_forward(const LayerWeights& w, int n_rows) {
  const float* x = normed_.data();
  ops_.matmul(std::array<Matmul, 2>{
      {{w.gate.get(), x, gate_.data(), nullptr, n_rows}, {w.up.get(), x, up_.data(), nullptr, n_rows}}});
  ops_.gated_activation({.gate = gate_.data(),
                         .up = up_.data(),
                         .out = gate_.data(),
                         .n = static_cast<int64_t>(n_rows) * slice_.ffn.size(),
                         .activation = config_.activation});
  matmul(*w.down, gate_.data(), partial_.data(), n_rows);
}

void Model::add_and_norm(const DeviceArray<float>& post_norm, const DeviceArray<float>& next_norm, int n_rows) {
  ops_.add_and_norm({.x = hidden_.data(),
                     .y = partial_.data(),
                     .y_weight = post_norm.data(),
                     .weight = next_norm.data(),
                     .out = normed_.data(),
                     .n_rows = n_rows,
                     .width = config_.width,
                     .epsilon = config_.rms_epsilon});
}

void Model::norm(const float* x, const DeviceArray<float>& weight, float* out, int n_rows) {
  ops_.rms_norm({.x = x,
                 .weight = weight.data(),
                 .out = out,
                 .n_rows = n_rows,
                 .width = static_cast<int>(weight.size()),
                 .epsilon = config_.rms_epsilon});
}

void Model::matmul(const Weight& w, const float* x, float* y, int n_rows) {
  ops_.matmul({.w = &w, .x = x, .y = y, .n_rows = n_rows});
}

}  // namespace ferry
