#include "core/model/model.h"

#include <algorithm>

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

Model::Model(ModelPart part, ModelLimits limits, Ops& ops, Communicator& group)
    : config_(std::move(part.config)),
      slice_(part.slice),
      weights_(std::move(part.weights)),
      limits_(limits),
      ops_(ops),
      group_(group),
      repeated_steps_(ops.repeated_steps(
          {.n_rows = std::min(limits.max_rows, limits.max_logit_rows), .n_pages = limits.max_pages})),
      batch_(ops.device(), {.n_rows = limits.max_rows, .n_pages = limits.max_pages}),
      kv_head_of_(ops.device(), local_kv_heads(config_, slice_)),
      inverse_frequencies_(ops.device(), config_.inverse_frequencies) {
  const size_t rows = limits.max_rows;
  const auto room_for = [&](size_t n) { return DeviceArray<float>(ops.device(), n); };
  for (auto* x : {&hidden_, &normed_, &partial_}) *x = room_for(rows * config_.width);
  for (auto* x : {&q_, &attended_}) *x = room_for(rows * slice_.q_heads.size() * config_.head_dim);
  for (auto* x : {&k_, &v_}) *x = room_for(rows * slice_.kv_heads.size() * config_.head_dim);
  for (auto* x : {&gate_, &up_}) *x = room_for(rows * slice_.ffn.size());
  const size_t logit_rows = limits.max_logit_rows;
  logits_ = room_for(logit_rows * slice_.vocab.size());
  digests_ = DeviceArray<int>(ops.device(), logit_rows * (2 * kMostBest + 2));
}

Digests Model::forward(const Batch& batch, const KvLayout& layout, std::span<std::byte> kv,
                       const LayerDone& layer_done) {
  const int n_logits = static_cast<int>(batch.logit_rows.size());
  check(batch.n_rows() <= limits_.max_rows && n_logits <= limits_.max_logit_rows, "a batch fits the model's buffers");
  check(batch.n_best == 1 || batch.scales.size() == batch.logit_rows.size(), "each logit row has a scale");
  const StepForm form = {.n_rows = batch.n_rows(),
                         .n_pages = static_cast<int>(batch.pages.size()),
                         .kv = kv.data(),
                         .n_best = batch.n_best};
  const auto launches = [&] { compute(layout, kv.data(), layer_done); };
  if (batch.is_row_each() && !layer_done && group_.in_stream()) {
    const StepForm padded = repeated_steps_->padded(form);
    batch_.assign(batch, padded);
    repeated_steps_->run(padded, std::ref(launches));
  } else {
    batch_.assign(batch, form);
    launches();
  }
  return digests_of(n_logits);
}

// Launches all of a step, from the tokens of batch_ to digests_.
void Model::compute(const KvLayout& layout, std::byte* kv, const LayerDone& layer_done) {
  const BatchView& batch = batch_.view();
  const int n_rows = batch.n_rows;

  // The vocabulary is sharded: each rank embeds the tokens it holds, zeros elsewhere.
  ops_.embed({.table = &weights_.embedding(),
              .tokens = batch_.tokens(),
              .out = hidden_.data(),
              .n_rows = n_rows,
              .first_token = slice_.vocab.begin,
              .scale = config_.embedding_scale});
  sum_over_ranks(hidden_, n_rows);
  ops_.rms_norm({.x = hidden_.data(),
                 .weight = weights_.layers[0].attention_norm.data(),
                 .out = normed_.data(),
                 .n_rows = n_rows,
                 .width = config_.width,
                 .epsilon = config_.rms_epsilon});

  ops_.matmul(qkv_of(weights_.layers[0], n_rows));

  for (int layer = 0; layer < config_.n_layers; ++layer) {
    const LayerWeights& w = weights_.layers[layer];
    const KvLayer pages = layout.layer(kv, layer);
    const bool is_last = layer + 1 == config_.n_layers;

    rotate_and_store(w, pages, batch);
    if (layer_done) layer_done(layer);
    // What follows the last keys and values is for the logits alone.
    if (is_last && batch_.n_logit_rows() == 0) return;
    attend(w, pages, batch);  // partial_ [n_rows, width]
    sum_over_ranks(partial_, n_rows);

    feed_forward(w, n_rows);  // partial_ [n_rows, width]
    sum_over_ranks(partial_, n_rows);
    if (is_last) break;
    const LayerWeights& next = weights_.layers[layer + 1];
    ops_.matmul_of(sum_and_norm(w.post_ffn_norm, next.attention_norm, n_rows), qkv_of(next, n_rows));
  }
  ops_.add_and_norm(sum_and_norm(weights_.layers.back().post_ffn_norm, weights_.output_norm, n_rows));
  project_logits();
  digest_logits();
}

std::array<Matmul, 3> Model::qkv_of(const LayerWeights& w, int n_rows) const {
  const float* x = normed_.data();
  return {{{w.q.get(), x, q_.data(), w.q_bias.data(), n_rows},
           {w.k.get(), x, k_.data(), w.k_bias.data(), n_rows},
           {w.v.get(), x, v_.data(), w.v_bias.data(), n_rows}}};
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
  ops_.matmul_of(sum_and_norm(w.post_attention_norm, w.ffn_norm, n_rows),
                 std::array<Matmul, 2>{
                     {{w.gate.get(), x, gate_.data(), nullptr, n_rows}, {w.up.get(), x, up_.data(), nullptr, n_rows}}});
  const Matmul down = {.w = w.down.get(), .x = gate_.data(), .y = partial_.data(), .n_rows = n_rows};
  ops_.matmul_of(GatedActivation{.gate = gate_.data(),
                                 .up = up_.data(),
                                 .out = gate_.data(),
                                 .n = static_cast<int64_t>(n_rows) * slice_.ffn.size(),
                                 .activation = config_.activation},
                 {&down, 1});
}

// hidden_ += partial_, and its norm in normed_.
AddAndNorm Model::sum_and_norm(const DeviceArray<float>& post_norm, const DeviceArray<float>& next_norm,
                               int n_rows) const {
  return {.x = hidden_.data(),
          .y = partial_.data(),
          .y_weight = post_norm.data(),
          .weight = next_norm.data(),
          .out = normed_.data(),
          .n_rows = n_rows,
          .width = config_.width,
          .epsilon = config_.rms_epsilon};
}

void Model::project_logits() {
  const bool wants_all = batch_.n_logit_rows() == batch_.view().n_rows;
  if (!wants_all) {
    ops_.select_rows({.x = normed_.data(),
                      .rows = batch_.logit_rows(),
                      .out = partial_.data(),
                      .n_rows = batch_.n_logit_rows(),
                      .width = config_.width});
  }
  matmul(*weights_.output, wants_all ? normed_.data() : partial_.data(), logits_.data(), batch_.n_logit_rows());
}

// To ids, best and sums of all logit rows, one after the other.
void Model::digest_logits() {
  const size_t n_candidates = static_cast<size_t>(batch_.n_logit_rows()) * batch_.n_best();
  auto* best = reinterpret_cast<float*>(digests_.data() + n_candidates);
  ops_.top_logits({.logits = logits_.data(),
                   .scales = batch_.scales(),
                   .ids = digests_.data(),
                   .best = best,
                   .sums = best + n_candidates,
                   .n_rows = batch_.n_logit_rows(),
                   .n_vocab = slice_.vocab.size(),
                   .first_id = slice_.vocab.begin,
                   .n_best = batch_.n_best()});
}

// Of the first logit rows; what follows is padding. Done at return, whether there are any or not.
Digests Model::digests_of(int n_rows) {
  const size_t n_candidates = static_cast<size_t>(batch_.n_logit_rows()) * batch_.n_best();
  const size_t n_sums = batch_.n_best() > 1 ? 2 * static_cast<size_t>(n_rows) : 0;
  if (n_rows == 0) {
    ops_.device().wait();
    return {};
  }
  host_digests_.resize(2 * n_candidates + n_sums);
  ops_.device().download(host_digests_.data(), digests_.data(), host_digests_.size() * sizeof(int));
  const auto n_wanted = static_cast<size_t>(n_rows) * batch_.n_best();
  const int* ids = host_digests_.data();
  const auto* best = reinterpret_cast<const float*>(ids + n_candidates);
  const auto* sums = best + n_candidates;
  return {.ids = {ids, ids + n_wanted}, .best = {best, best + n_wanted}, .sums = {sums, sums + n_sums}};
}

std::span<const float> Model::logits(const std::vector<int>& rows) {
  const size_t n_vocab = slice_.vocab.size();
  host_logits_.resize(rows.size() * n_vocab);
  std::vector<DeviceCopy> copies;  // one for rows that are neighbours
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i > 0 && rows[i] == rows[i - 1] + 1) {
      copies.back().n_bytes += n_vocab * sizeof(float);
      continue;
    }
    copies.push_back({.to = host_logits_.data() + i * n_vocab,
                      .from = logits_.data() + static_cast<size_t>(rows[i]) * n_vocab,
                      .n_bytes = n_vocab * sizeof(float)});
  }
  ops_.device().download(copies);
  return host_logits_;
}

void Model::sum_over_ranks(const DeviceArray<float>& x, int n_rows) {
  group_.all_reduce_sum({x.data(), static_cast<size_t>(n_rows) * config_.width});
}

void Model::matmul(const Weight& w, const float* x, float* y, int n_rows) {
  ops_.matmul({.w = &w, .x = x, .y = y, .n_rows = n_rows});
}

}  // namespace ferry
