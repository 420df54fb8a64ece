#include "core/model/model.h"

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
  const size_t logit_rows = limits.max_logit_rows;
  logits_ = room_for(logit_rows * slice.vocab.size());
  digests_ = DeviceArray<int>(ops.device(), logit_rows * (2 * kMostBest + 2));
}

Digests Model::forward(const Batch& batch, const KvLayout& layout, std::span<std::byte> kv,
                       const LayerDone& layer_done) {
  const int n_rows = batch.n_rows(), n_logits = static_cast<int>(batch.logit_rows.size());
  check(n_rows <= limits_.max_rows && n_logits <= limits_.max_logit_rows, "a batch fits the model's buffers");
  check(batch.n_best == 1 || batch.scales.size() == batch.logit_rows.size(), "each logit row has a scale");
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

  for (int layer = 0; layer < config_.n_layers; ++layer) {
    const LayerWeights& w = weights_.layers[layer];
    const KvLayer pages = layout.layer(kv.data(), layer);

    norm(hidden_.data(), w.attention_norm, normed_.data(), n_rows);
    project_qkv(w, view);
    ops_.write_kv({.k = k_.data(), .v = v_.data(), .kv = pages, .batch = view});
    layer_done(layer);
    attend(w, pages, view);  // partial_ [n_rows, width]
    group_.all_reduce_sum({partial_.data(), static_cast<size_t>(n_rows) * config_.width});
    add_to_residual(w.post_attention_norm, n_rows);

    norm(hidden_.data(), w.ffn_norm, normed_.data(), n_rows);
    feed_forward(w, n_rows);  // partial_ [n_rows, width]
    group_.all_reduce_sum({partial_.data(), static_cast<size_t>(n_rows) * config_.width});
    add_to_residual(w.post_ffn_norm, n_rows);
  }

  ops_.select_rows({.x = hidden_.data(),
                    .rows = batch_.logit_rows(),
                    .out = partial_.data(),
                    .n_rows = n_logits,
                    .width = config_.width});
  norm(partial_.data(), weights_.output_norm, normed_.data(), n_logits);
  matmul(*weights_.output, normed_.data(), logits_.data(), n_logits);
  return digested(batch);
}

Digests Model::digested(const Batch& batch) {
  const size_t n_rows = batch.logit_rows.size(), n_best = n_rows * batch.n_best,
               n_sums = batch.n_best > 1 ? 2 * n_rows : 0;
  if (n_rows == 0) return {};
  int* ids = digests_.data();
  auto* best = reinterpret_cast<float*>(ids + n_best);
  ops_.top_logits({.logits = logits_.data(),
                   .scales = batch_.scales(),
                   .ids = ids,
                   .best = best,
                   .sums = best + n_best,
                   .n_rows = static_cast<int>(n_rows),
                   .n_vocab = slice_.vocab.size(),
                   .first_id = slice_.vocab.begin,
                   .n_best = batch.n_best});
  host_digests_.resize(2 * n_best + n_sums);
  ops_.device().download(host_digests_.data(), ids, host_digests_.size() * sizeof(int));
  const auto* values = reinterpret_cast<const float*>(host_digests_.data() + n_best);
  return {.ids = {host_digests_.begin(), host_digests_.begin() + static_cast<std::ptrdiff_t>(n_best)},
          .best = {values, values + n_best},
          .sums = {values + n_best, values + n_best + n_sums}};
}

std::span<const float> Model::logits(const std::vector<int>& rows) {
  const size_t n_vocab = slice_.vocab.size();
  host_logits_.resize(rows.size() * n_vocab);
  for (size_t i = 0; i < rows.size(); ++i) {
    ops_.device().download(host_logits_.data() + i * n_vocab, logits_.data() + static_cast<size_t>(rows[i]) * n_vocab,
                           n_vocab * sizeof(float));
  }
  return host_logits_;
}

void Model::project_qkv(const LayerWeights& w, const BatchView& batch) {
  matmul(*w.q, normed_.data(), q_.data(), batch.n_rows, w.q_bias);
  matmul(*w.k, normed_.data(), k_.data(), batch.n_rows, w.k_bias);
  matmul(*w.v, normed_.data(), v_.data(), batch.n_rows, w.v_bias);
  head_norm_and_rope(q_.data(), w.q_norm, slice_.q_heads.size(), batch);
  head_norm_and_rope(k_.data(), w.k_norm, slice_.kv_heads.size(), batch);
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
  matmul(*w.gate, normed_.data(), gate_.data(), n_rows);
  matmul(*w.up, normed_.data(), up_.data(), n_rows);
  ops_.gated_activation({.gate = gate_.data(),
                         .up = up_.data(),
                         .out = gate_.data(),
                         .n = static_cast<int64_t>(n_rows) * slice_.ffn.size(),
                         .activation = config_.activation});
  matmul(*w.down, gate_.data(), partial_.data(), n_rows);
}

void Model::add_to_residual(const DeviceArray<float>& post_norm, int n_rows) {
  if (post_norm.size() > 0) norm(partial_.data(), post_norm, partial_.data(), n_rows);
  ops_.add({.x = hidden_.data(), .y = partial_.data(), .n = static_cast<int64_t>(n_rows) * config_.width});
}

void Model::norm(const float* x, const DeviceArray<float>& weight, float* out, int n_rows) {
  ops_.rms_norm({.x = x,
                 .weight = weight.data(),
                 .out = out,
                 .n_rows = n_rows,
                 .width = static_cast<int>(weight.size()),
                 .epsilon = config_.rms_epsilon});
}

void Model::head_norm_and_rope(float* x, const DeviceArray<float>& weight, int n_heads, const BatchView& batch) {
  if (weight.size() > 0) norm(x, weight, x, batch.n_rows * n_heads);  // a head is a row of head_dim
  ops_.rope({.x = x,
             .positions = batch.positions,
             .inverse_frequencies = inverse_frequencies_.data(),
             .n_rows = batch.n_rows,
             .n_heads = n_heads,
             .head_dim = config_.head_dim,
             .n_rotated = config_.n_rotated,
             .pairs = config_.rope_pairs});
}

void Model::matmul(const Weight& w, const float* x, float* y, int n_rows, const DeviceArray<float>& bias) {
  ops_.matmul({.w = &w, .x = x, .y = y, .bias = bias.data(), .n_rows = n_rows});
}

}  // namespace ferry
