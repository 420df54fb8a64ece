#include "core/engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/hash.h"
#include "core/engine/draw.h"

namespace ferry {

namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// Uniform in [0, 1), from the seed and the position alone.
double uniform(uint64_t seed, int position) {
  const uint64_t key[2] = {seed, static_cast<uint64_t>(position)};
  const uint64_t bits = hash_of({reinterpret_cast<const char*>(key), sizeof key});
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

double log_sum_exp(std::span<const float> logits) {
  const float best = best_of(logits).logit;
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - best);
  return best + std::log(sum);
}

double point_of(const Request& request, std::span<const int> tokens) {
  return uniform(request.sampling.seed, static_cast<int>(tokens.size()));
}

void add_logprobs(Token& token, std::span<const float> logits, const Request& request) {
  if (request.n_logprobs < 0) return;
  const double normalizer = log_sum_exp(logits);
  token.logprob = static_cast<float>(logits[static_cast<size_t>(token.id)] - normalizer);
  for (const Candidate& c : best_of(logits, static_cast<size_t>(request.n_logprobs)))
    token.top.push_back({.id = c.id, .logprob = static_cast<float>(c.logit - normalizer)});
}

// The token is among the best, and these are as many as are told.
void add_logprobs(Token& token, const RowDigest& digest, const Request& request) {
  if (request.n_logprobs < 0) return;
  const double normalizer = digest.best[0].logit + std::log(digest.sum);
  const auto logprob_of = [&](const Candidate& c) { return static_cast<float>(c.logit - normalizer); };
  token.logprob = logprob_of(*std::ranges::find(digest.best, token.id, &Candidate::id));
  for (const Candidate& c : std::span(digest.best).first(static_cast<size_t>(request.n_logprobs)))
    token.top.push_back({.id = c.id, .logprob = logprob_of(c)});
}

std::vector<float> logits_of(const RowDigest& digest) {
  std::vector<float> logits(digest.best.size());
  for (const Candidate& c : digest.best) logits[static_cast<size_t>(c.id)] = c.logit;
  return logits;
}

}  // namespace

Token next_token(std::span<const float> logits, const Request& request, std::span<const int> tokens,
                 std::span<const int> end_tokens) {
  const LogitChanges changes(request, tokens, end_tokens);
  std::vector<float> changed;
  std::span<const float> wanted = logits;
  if (!changes.empty()) {
    changed.assign(logits.begin(), logits.end());
    changes.apply(changed);
    wanted = changed;
  }
  Token token;
  const Sampling& sampling = request.sampling;
  token.id = sampling.temperature > 0 ? drawn_from(wanted, sampling, point_of(request, tokens)) : best_of(wanted).id;
  add_logprobs(token, logits, request);
  return token;
}

bool has_numbers(const RowDigest& digest) { return !digest.best.empty() && std::isfinite(digest.best[0].logit); }

DigestNeeds needs_of(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens) {
  const Sampling& sampling = request.sampling;
  const bool draws = sampling.temperature > 0;
  const int n_changes = LogitChanges::at_most(request, tokens, end_tokens);
  DigestNeeds needs;
  if (!LogitChanges::only_lower(sampling)) {
    needs.may_ask = true;
    return needs;
  }
  if (draws || n_changes > 0 || request.n_logprobs >= 0) needs.n_best = kMostBest;
  if (draws) {
    needs.scale =
        std::clamp(1 / sampling.temperature, std::numeric_limits<float>::min(), std::numeric_limits<float>::max());
  }
  // Changes move no more than so many out of the list.
  const int n_wanted = draws ? sampling.top_k : 1;
  needs.may_ask = n_wanted == 0 || n_wanted + n_changes > kMostBest || request.n_logprobs > kMostBest;
  return needs;
}

std::optional<Token> next_token(const RowDigest& digest, const Request& request, std::span<const int> tokens,
                                std::span<const int> end_tokens) {
  if (digest.all) return next_token(logits_of(digest), request, tokens, end_tokens);
  const Sampling& sampling = request.sampling;
  const auto n_top = static_cast<size_t>(std::max(request.n_logprobs, 0));
  if (!LogitChanges::only_lower(sampling) || n_top > digest.best.size()) return std::nullopt;
  const Candidates candidates = candidates_of(digest, sampling, LogitChanges(request, tokens, end_tokens));
  if (candidates.sorted.empty()) return std::nullopt;  // all are changed

  std::optional<int> id = candidates.sorted[0].id;
  if (sampling.temperature > 0) id = drawn_from(digest, candidates, sampling, point_of(request, tokens));
  if (!id) return std::nullopt;
  Token token = {.id = *id};
  add_logprobs(token, digest, request);
  return token;
}

Token scored_token(std::span<const float> logits, const Request& request, int id) {
  Token token = {.id = id};
  add_logprobs(token, logits, request);
  return token;
}

std::optional<Token> scored_token(const RowDigest& digest, const Request& request, int id) {
  if (digest.all) return scored_token(logits_of(digest), request, id);
  const bool is_listed = std::ranges::find(digest.best, id, &Candidate::id) != digest.best.end();
  if (!is_listed || digest.best[0].logit == kLowest || request.n_logprobs > static_cast<int>(digest.best.size()))
    return std::nullopt;
  Token token = {.id = id};
  add_logprobs(token, digest, request);
  return token;
}

DigestNeeds needs_of_scored() { return {.n_best = kMostBest, .may_ask = true}; }

}  // namespace ferry
