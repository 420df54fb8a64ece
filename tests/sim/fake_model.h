#pragma once
// A model whose next token depends on every byte of KV of every token so far, and on nothing else: a byte that is
// wrong, stale or missing anywhere shows as another token. It is cheap, and what it must say is known in advance.
//
// The KV of a token, in every layer and head, is the hash of all tokens up to it, masked for its place in the model.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/engine/digest.h"
#include "core/engine/request.h"
#include "core/kv/kv_layout.h"

namespace ferry::sim {

constexpr int kVocabulary = 48;
constexpr int kEndToken = 0;
constexpr int kLayers = 2;
constexpr int kHeads = 3;
constexpr int kPageTokens = 4;
constexpr uint64_t kModelHash = 0xfe77;

std::vector<KvLayout> layouts_of(int tp, int n_pages);

// What is generated after this prompt, to the end of the answer.
std::vector<int> answer_to(const Request& request);

// Its prompt's tokens from the second on, with the logprobs that this model gives them.
std::vector<Token> prompt_logprobs_of(const Request& request);

// One rank's part of the model.
class FakeModel {
 public:
  // layouts: of all ranks. `kv` outlives the model.
  FakeModel(const std::vector<KvLayout>& layouts, int rank, std::span<std::byte> kv);

  // What there is to say of this rank's part of the logits. `layer_done`, where there is one, is told
  // when a layer's KV is written.
  Digests forward(const Batch& batch, const std::function<void(int layer)>& layer_done);

  // Of the latest batch, these of its logit rows: [rows, its vocabulary].
  std::span<const float> logits(const std::vector<int>& rows);

  // For each logit row, a digest of the KV it was computed from. Equal on all ranks, unless one has other KV.
  std::span<const uint64_t> seen() const { return seen_; }

  Range vocabulary() const { return vocabulary_; }

 private:
  uint64_t& cell(int page, int layer, int head, int token, bool value) const;
  uint64_t history(const Batch& batch, int sequence, int position) const;
  uint64_t digest(const Batch& batch, int sequence, int position) const;
  void hash_rows(const Batch& batch);
  void write_layer(const Batch& batch, int layer) const;

  const KvLayout layout_;
  const std::span<std::byte> kv_;
  const Range vocabulary_;
  std::vector<uint64_t> histories_;  // [n_rows]
  std::vector<uint64_t> seen_;       // [n logit rows]
  std::vector<float> logits_;        // [n logit rows, its vocabulary]
  std::vector<float> asked_logits_;
};

}  // namespace ferry::sim
