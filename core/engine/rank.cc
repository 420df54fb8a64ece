#include "core/engine/rank.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/base/hash.h"

namespace ferry {

namespace {

std::span<const int> pages_of(const Batch& batch, int sequence) {
  return std::span(batch.pages)
      .subspan(batch.page_begin[sequence], batch.page_begin[sequence + 1] - batch.page_begin[sequence]);
}

void check_same_step(const std::vector<StepReceipt>& receipts) {
  for (size_t rank = 1; rank < receipts.size(); ++rank) {
    if (receipts[rank].step == receipts[0].step && receipts[rank].hash == receipts[0].hash) continue;
    throw Error(str("ranks diverged: rank 0 ran step ", receipts[0].step, " (", receipts[0].hash, "), rank ", rank,
                    " ran step ", receipts[rank].step, " (", receipts[rank].hash, ")"));
  }
}

}  // namespace

Rank::Rank(Compute compute, const KvLayout& layout, int n_vocab, Communicator& group, Shipper& shipper)
    : compute_(std::move(compute)), layout_(layout), n_vocab_(n_vocab), group_(group), shipper_(shipper) {
  if (group.rank() != 0) return;
  for (int rank = 0; rank < group.size(); ++rank) vocab_.push_back(even_part(n_vocab_, group.size(), rank));
}

StepResult Rank::run(const Step& step, const std::string& bytes) {
  execute(step);
  StepResult result = {.digests = {}, .receipts = exchange_receipts(receipt(step, bytes))};
  std::vector<Digests> digests;
  for (StepReceipt& receipt : result.receipts) digests.push_back(std::move(receipt.digests));
  result.digests = merged(digests, step.batch);
  return result;
}

std::span<const float> Rank::asked_logits(const Batch& batch, const std::vector<int>& rows) {
  if (!batch.may_ask) {
    check(rows.empty(), "whole logits are asked for only where that was foreseen");
    return {};
  }
  std::string bytes = pack(rows);
  group_.broadcast(bytes, [this] { shipper_.progress(); });
  const auto asked = unpack<std::vector<int>>(bytes);
  check(asked.has_value(), "rank 0 asks for rows");
  return asked->empty() ? std::span<const float>() : gathered(compute_.logits(*asked), static_cast<int>(asked->size()));
}

void Rank::execute(const Step& step) {
  run_orders(step);
  digests_ = {};
  if (step.batch.n_rows() > 0) compute(step);
  shipper_.progress();
}

StepReceipt Rank::receipt(const Step& step, const std::string& bytes) {
  StepReceipt receipt = shipper_.take_receipt();
  receipt.step = step.id;
  receipt.hash = hash_of(bytes);
  receipt.digests = std::move(digests_);
  return receipt;
}

void Rank::follow() {
  std::string bytes;
  for (;;) {
    group_.broadcast(bytes, [this] { shipper_.progress(); });
    const auto step = unpack<Step>(bytes);
    check(step.has_value(), "what the leader broadcasts is a step");
    run(*step, bytes);
    asked_logits(step->batch, {});
    if (step->last) return;
  }
}

void Rank::run_orders(const Step& step) {
  for (const GroupId group : step.closes) shipper_.close(group);
  for (const GroupId group : step.opens) shipper_.open(group);
  for (const ConnectOrder& order : step.connects) shipper_.connect(order);
  for (const GiveUpOrder& order : step.gives_up) shipper_.give_up(order);
  for (const VerifyOrder& order : step.verifies) shipper_.verify(order);
}

void Rank::compute(const Step& step) {
  const auto ship_layer = [&](int layer) {
    for (const ShipOrder& order : step.ships) {
      if (!order.deferred) shipper_.ship_layer(order, layer, pages_of(step.batch, order.sequence));
    }
  };
  const bool ships_layers = std::ranges::any_of(step.ships, [](const ShipOrder& order) { return !order.deferred; });
  digests_ = compute_.batch(step.batch, ships_layers ? LayerDone(ship_layer) : LayerDone());
  shipper_.computed();
  for (const ShipOrder& order : step.ships) {
    const Range layers = layout_.shard().layers;
    for (int layer = layers.begin; order.deferred && layer < layers.end; ++layer) {
      shipper_.ship_layer(order, layer, pages_of(step.batch, order.sequence));
    }
    if (order.last) shipper_.finish(order);
  }
}

std::span<const float> Rank::gathered(std::span<const float> mine, int n_rows) {
  if (group_.size() == 1) return mine;
  if (group_.rank() != 0) {
    group_.gather(mine, {});
    return {};
  }
  by_rank_.resize(static_cast<size_t>(n_rows) * n_vocab_);
  all_logits_.resize(by_rank_.size());
  group_.gather(mine, by_rank_);
  const float* from = by_rank_.data();
  for (const Range vocab : vocab_) {
    for (int row = 0; row < n_rows; ++row, from += vocab.size()) {
      std::copy_n(from, vocab.size(), all_logits_.data() + static_cast<size_t>(row) * n_vocab_ + vocab.begin);
    }
  }
  return all_logits_;
}

std::vector<StepReceipt> Rank::exchange_receipts(const StepReceipt& mine) {
  std::vector<StepReceipt> receipts;
  for (const std::string& one : group_.gather_bytes(pack(mine))) {
    auto receipt = unpack<StepReceipt>(one);
    check(receipt.has_value(), "a rank answers a step with a receipt");
    receipts.push_back(std::move(*receipt));
  }
  check_same_step(receipts);
  return receipts;
}

}  // namespace ferry
