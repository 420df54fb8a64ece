#include "tests/sim/fake_model.h"

#include <algorithm>
#include <cmath>

#include "tests/support/made_up_digests.h"

namespace ferry::sim {

namespace {

constexpr int kHeadDim = 2;  // as f32: the eight bytes of a hash

uint64_t mixed(uint64_t a, uint64_t b) {
  uint64_t z = (a ^ (b + 0x9e3779b97f4a7c15)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 29)) * 0x94d049bb133111eb;
  return z ^ (z >> 32);
}

uint64_t mask_of(int layer, int head, bool value) { return mixed(layer * 64 + head * 2 + value, 0x5eed); }

// How the tokens before a position add up, token by token.
uint64_t added(uint64_t sum, int position, uint64_t history) { return sum + mixed(history, position); }

int token_after(uint64_t digest) { return static_cast<int>(mixed(digest, 0x70c) % kVocabulary); }

}  // namespace

std::vector<KvLayout> layouts_of(int tp, int n_pages) {
  const TpShape shape = {
      .n_heads = 2 * kHeads, .n_kv_heads = kHeads, .ffn_width = 16, .ffn_unit = 1, .n_vocab = kVocabulary};
  std::vector<KvLayout> layouts;
  for (const Shard& shard : shards_of(tp_slices(shape, tp), kLayers)) {
    layouts.emplace_back(shard, kPageTokens, kHeadDim, KvDtype::f32, n_pages);
  }
  return layouts;
}

std::vector<int> answer_to(const Request& request) {
  std::vector<int> answer;
  uint64_t history = 0, sum = 0;
  int position = 0;
  const auto read = [&](int token) {
    history = mixed(history, token);
    sum = added(sum, position++, history);
  };
  for (const int token : request.prompt) read(token);
  while (static_cast<int>(answer.size()) < request.max_tokens) {
    answer.push_back(token_after(sum));
    if (answer.back() == kEndToken && !request.ignore_eos) break;
    read(answer.back());
  }
  return answer;
}

std::vector<Token> prompt_logprobs_of(const Request& request) {
  // One logit is 1, the others are 0.
  const double normalizer = std::log(std::exp(1.0) + kVocabulary - 1);
  std::vector<Token> scored;
  uint64_t history = 0, sum = 0;
  for (size_t i = 0; i + 1 < request.prompt.size(); ++i) {
    history = mixed(history, request.prompt[i]);
    sum = added(sum, static_cast<int>(i), history);
    const int token = request.prompt[i + 1];
    const double logit = token == token_after(sum);
    scored.push_back({.id = token, .logprob = static_cast<float>(logit - normalizer)});
  }
  return scored;
}

FakeModel::FakeModel(const std::vector<KvLayout>& layouts, int rank, std::span<std::byte> kv)
    : layout_(layouts[rank]), kv_(kv), vocabulary_(even_part(kVocabulary, static_cast<int>(layouts.size()), rank)) {}

Digests FakeModel::forward(const Batch& batch, const std::function<void(int layer)>& layer_done) {
  hash_rows(batch);
  const Range layers = layout_.shard().layers;
  for (int layer = layers.begin; layer < layers.end; ++layer) {
    write_layer(batch, layer);
    if (layer_done) layer_done(layer);
  }
  seen_.clear();
  logits_.assign(batch.logit_rows.size() * vocabulary_.size(), 0);
  int sequence = 0;
  for (const int row : batch.logit_rows) {
    while (batch.row_begin[sequence + 1] <= row) ++sequence;
    seen_.push_back(digest(batch, sequence, batch.positions[row]));
    const int token = token_after(seen_.back());
    if (!vocabulary_.contains(token)) continue;
    logits_[(seen_.size() - 1) * vocabulary_.size() + token - vocabulary_.begin] = 1;
  }
  return digests_of(logits_, batch, vocabulary_);
}

std::span<const float> FakeModel::logits(const std::vector<int>& rows) {
  asked_logits_.clear();
  const std::span<const float> all = logits_;
  for (const int row : rows) {
    const auto part = all.subspan(row * vocabulary_.size(), vocabulary_.size());
    asked_logits_.insert(asked_logits_.end(), part.begin(), part.end());
  }
  return asked_logits_;
}

uint64_t& FakeModel::cell(int page, int layer, int head, int token, bool value) const {
  const uint64_t at =
      layout_.offset(page, layer, head) + (value ? layout_.v_bytes() : 0) + token * layout_.token_bytes();
  return *reinterpret_cast<uint64_t*>(&kv_[at]);
}

uint64_t FakeModel::history(const Batch& batch, int sequence, int position) const {
  const int page = batch.pages[batch.page_begin[sequence] + position / kPageTokens];
  const int layer = layout_.shard().layers.begin, head = layout_.shard().heads.begin;
  return cell(page, layer, head, position % kPageTokens, false) ^ mask_of(layer, head, false);
}

void FakeModel::hash_rows(const Batch& batch) {
  histories_.resize(batch.n_rows());
  for (int s = 0; s < batch.n_sequences(); ++s) {
    const int first = batch.row_begin[s];
    uint64_t before = batch.positions[first] > 0 ? history(batch, s, batch.positions[first] - 1) : 0;
    for (int row = first; row < batch.row_begin[s + 1]; ++row) {
      before = histories_[row] = mixed(before, batch.tokens[row]);
    }
  }
}

void FakeModel::write_layer(const Batch& batch, int layer) const {
  const Range heads = layout_.shard().heads;
  for (int s = 0; s < batch.n_sequences(); ++s) {
    for (int row = batch.row_begin[s]; row < batch.row_begin[s + 1]; ++row) {
      const int position = batch.positions[row];
      const int page = batch.pages[batch.page_begin[s] + position / kPageTokens];
      for (int head = heads.begin; head < heads.end; ++head) {
        for (const bool value : {false, true}) {
          cell(page, layer, head, position % kPageTokens, value) = histories_[row] ^ mask_of(layer, head, value);
        }
      }
    }
  }
}

// Adds the tokens up in every layer and head. All sums are equal when every byte is right; what differs is mixed in.
uint64_t FakeModel::digest(const Batch& batch, int sequence, int position) const {
  const auto [layers, heads] = layout_.shard();
  uint64_t all = 0;
  bool any = false;
  for (int layer = layers.begin; layer < layers.end; ++layer) {
    for (int head = heads.begin; head < heads.end; ++head) {
      for (const bool value : {false, true}) {
        uint64_t sum = 0;
        for (int p = 0; p <= position; ++p) {
          const int page = batch.pages[batch.page_begin[sequence] + p / kPageTokens];
          sum = added(sum, p, cell(page, layer, head, p % kPageTokens, value) ^ mask_of(layer, head, value));
        }
        all = any && sum != all ? mixed(all, sum) : sum;
        any = true;
      }
    }
  }
  return all;
}

}  // namespace ferry::sim
