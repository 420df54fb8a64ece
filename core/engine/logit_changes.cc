#include "core/engine/logit_changes.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace ferry {

namespace {

std::span<const int> generated_of(const Request& request, std::span<const int> tokens) {
  return tokens.subspan(request.prompt.size() - static_cast<size_t>(request.n_told));
}

bool penalizes_repetition(const Sampling& sampling) { return sampling.repetition_penalty != 1; }
bool penalizes_generated(const Sampling& sampling) {
  return sampling.presence_penalty != 0 || sampling.frequency_penalty != 0;
}

// Those of the end tokens that cannot come next.
std::span<const int> barred_of(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens) {
  const auto n_generated = static_cast<int>(generated_of(request, tokens).size());
  return request.ignore_eos || n_generated >= request.min_tokens ? std::span<const int>() : end_tokens;
}

bool has(std::span<const int> ids, int id) { return std::ranges::find(ids, id) != ids.end(); }

}  // namespace

bool LogitChanges::Ids::insert(int id) {
  const auto word = static_cast<size_t>(id) / 64;
  const uint64_t bit = uint64_t{1} << id % 64;
  if (word >= words_.size()) words_.resize(word + 1);
  const bool is_new = (words_[word] & bit) == 0;
  words_[word] |= bit;
  return is_new;
}

bool LogitChanges::Ids::contains(int id) const {
  const auto word = static_cast<size_t>(id) / 64;
  return word < words_.size() && (words_[word] >> id % 64 & 1) != 0;
}

template <class F>
void LogitChanges::Ids::for_each(const F& f) const {
  for (size_t word = 0; word < words_.size(); ++word) {
    for (uint64_t bits = words_[word]; bits != 0; bits &= bits - 1)
      f(static_cast<int>(word) * 64 + std::countr_zero(bits));
  }
}

LogitChanges::LogitChanges(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens)
    : sampling_(request.sampling), barred_(barred_of(request, tokens, end_tokens)) {
  if (penalizes_generated(sampling_)) generated_ = generated_of(request, tokens);
  const auto change = [this](int id) { n_ids_ += changed_.insert(id); };
  if (penalizes_repetition(sampling_)) {
    for (const int id : tokens) repeated_.insert(id), change(id);
  }
  std::ranges::for_each(generated_, change);
  std::ranges::for_each(barred_, change);
  for (const LogitBias& bias : sampling_.logit_bias) change(bias.id);
}

int LogitChanges::at_most(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens) {
  const Sampling& sampling = request.sampling;
  size_t n = sampling.logit_bias.size() + barred_of(request, tokens, end_tokens).size();
  if (penalizes_repetition(sampling)) n += tokens.size();
  if (penalizes_generated(sampling)) n += generated_of(request, tokens).size();
  return static_cast<int>(n);
}

bool LogitChanges::only_lower(const Sampling& sampling) {
  return sampling.repetition_penalty >= 1 && sampling.presence_penalty >= 0 && sampling.frequency_penalty >= 0 &&
         std::ranges::all_of(sampling.logit_bias, [](const LogitBias& bias) { return bias.bias <= 0; });
}

float LogitChanges::of(int id, float logit) const {
  return changed_.contains(id) ? changed(id, logit, std::ranges::count(generated_, id)) : logit;
}

void LogitChanges::apply(std::span<float> logits) const {
  std::vector<int> sorted(generated_.begin(), generated_.end());  // counting each in turn would take the square of them
  std::ranges::sort(sorted);
  changed_.for_each([&](int id) {
    if (static_cast<size_t>(id) >= logits.size()) return;
    float& logit = logits[static_cast<size_t>(id)];
    const auto [first, last] = std::equal_range(sorted.begin(), sorted.end(), id);
    logit = changed(id, logit, last - first);
  });
}

float LogitChanges::changed(int id, float logit, std::ptrdiff_t n_generated) const {
  if (has(barred_, id)) return -std::numeric_limits<float>::infinity();
  if (repeated_.contains(id))
    logit = logit > 0 ? logit / sampling_.repetition_penalty : logit * sampling_.repetition_penalty;
  if (n_generated > 0)
    logit -= sampling_.presence_penalty + sampling_.frequency_penalty * static_cast<float>(n_generated);
  for (const LogitBias& bias : sampling_.logit_bias) logit += bias.id == id ? bias.bias : 0;
  return logit;
}

}  // namespace ferry
