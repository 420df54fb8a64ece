#include "core/engine/logit_changes.h"

#include <algorithm>
#include <limits>

namespace ferry {

namespace {

std::span<const int> generated(const Request& request, std::span<const int> tokens) {
  return tokens.subspan(request.prompt.size() - static_cast<size_t>(request.n_told));
}

bool penalizes_repetition(const Sampling& sampling) { return sampling.repetition_penalty != 1; }
bool penalizes_generated(const Sampling& sampling) {
  return sampling.presence_penalty != 0 || sampling.frequency_penalty != 0;
}

// Those of the end tokens that cannot come next.
std::span<const int> barred(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens) {
  const bool may_end = request.ignore_eos || static_cast<int>(generated(request, tokens).size()) >= request.min_tokens;
  return may_end ? std::span<const int>() : end_tokens;
}

}  // namespace

LogitChanges::LogitChanges(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens)
    : sampling_(request.sampling) {
  if (penalizes_repetition(sampling_)) {
    for (const int token : tokens) changes_.push_back({.id = token, .is_repeated = true});
  }
  if (penalizes_generated(sampling_)) {
    for (const int token : generated(request, tokens)) changes_.push_back({.id = token, .n_generated = 1});
  }
  for (const LogitBias& bias : sampling_.logit_bias) changes_.push_back({.id = bias.id, .bias = bias.bias});
  for (const int end : barred(request, tokens, end_tokens)) changes_.push_back({.id = end, .is_barred = true});
  std::ranges::sort(changes_, {}, &Change::id);

  size_t n = 0;  // one of each id
  for (const Change& change : changes_) {
    if (n == 0 || changes_[n - 1].id != change.id) {
      changes_[n++] = change;
      continue;
    }
    Change& all = changes_[n - 1];
    all.is_repeated |= change.is_repeated;
    all.n_generated += change.n_generated;
    all.bias += change.bias;
    all.is_barred |= change.is_barred;
  }
  changes_.resize(n);
}

int LogitChanges::at_most(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens) {
  const Sampling& sampling = request.sampling;
  size_t n = sampling.logit_bias.size() + barred(request, tokens, end_tokens).size();
  if (penalizes_repetition(sampling)) n += tokens.size();
  if (penalizes_generated(sampling)) n += generated(request, tokens).size();
  return static_cast<int>(n);
}

bool LogitChanges::only_lower(const Sampling& sampling) {
  return sampling.repetition_penalty >= 1 && sampling.presence_penalty >= 0 && sampling.frequency_penalty >= 0 &&
         std::ranges::all_of(sampling.logit_bias, [](const LogitBias& bias) { return bias.bias <= 0; });
}

const LogitChanges::Change* LogitChanges::change_of(int id) const {
  const auto at = std::ranges::lower_bound(changes_, id, {}, &Change::id);
  return at != changes_.end() && at->id == id ? &*at : nullptr;
}

float LogitChanges::of(int id, float logit) const {
  const Change* change = change_of(id);
  return change != nullptr ? changed(*change, logit) : logit;
}

void LogitChanges::apply(std::span<float> logits) const {
  for (const Change& change : changes_) {
    const auto id = static_cast<size_t>(change.id);
    if (id < logits.size()) logits[id] = changed(change, logits[id]);
  }
}

float LogitChanges::changed(const Change& change, float logit) const {
  if (change.is_barred) return -std::numeric_limits<float>::infinity();
  if (change.is_repeated)
    logit = logit > 0 ? logit / sampling_.repetition_penalty : logit * sampling_.repetition_penalty;
  if (change.n_generated > 0)
    logit -= sampling_.presence_penalty + sampling_.frequency_penalty * static_cast<float>(change.n_generated);
  return logit + change.bias;
}

}  // namespace ferry
