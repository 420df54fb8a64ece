#include "core/engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <set>

#include "core/base/hash.h"

namespace ferry {

namespace {

constexpr float kLowest = -std::numeric_limits<float>::infinity();

int best_of(std::span<const float> logits) {
  size_t best = 0;
  float most = kLowest;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (!(logits[i] > most)) continue;  // what is no number is not above anything
    most = logits[i];
    best = i;
  }
  return static_cast<int>(best);
}

// The n best, best first.
std::vector<Candidate> best_of(std::span<const float> logits, int n) {
  std::vector<Candidate> all(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) all[i] = {static_cast<int>(i), logits[i] > kLowest ? logits[i] : kLowest};
  n = std::min(n, static_cast<int>(all.size()));
  std::partial_sort(all.begin(), all.begin() + n, all.end(), better);
  all.resize(n);
  return all;
}

// Uniform in [0, 1), from the seed and the position alone.
double uniform(uint64_t seed, int position) {
  const uint64_t key[2] = {seed, static_cast<uint64_t>(position)};
  const uint64_t bits = hash_of({reinterpret_cast<const char*>(key), sizeof key});
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

// Not normalized: that of the best is one.
double weight_of(const Candidate& candidate, const Candidate& best, const Sampling& sampling) {
  return std::exp((static_cast<double>(candidate.logit) - best.logit) / sampling.temperature);
}

// Weights of sorted candidates, those below min_p · best cut off, then those after the first ones that make up top_p.
std::vector<double> weights_of(std::span<const Candidate> sorted, const Sampling& sampling) {
  std::vector<double> weights;
  double sum = 0;
  for (const Candidate& c : sorted) {
    const double weight = weight_of(c, sorted[0], sampling);
    if (weight < sampling.min_p) break;
    weights.push_back(weight);
    sum += weight;
  }
  double kept = 0;
  for (size_t i = 0; i < weights.size(); ++i) {
    kept += weights[i];
    if (kept >= sampling.top_p * sum) weights.resize(i + 1);
  }
  return weights;
}

// One of sorted candidates, by their weights. `point` in [0, 1).
int drawn_from(std::span<const Candidate> sorted, const std::vector<double>& weights, double point) {
  double sum = 0;
  for (double weight : weights) sum += weight;
  double left = point * sum;
  for (size_t i = 0; i + 1 < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return sorted[i].id;
  }
  return sorted[weights.size() - 1].id;
}

int drawn_from(std::span<const float> logits, const Sampling& sampling, double point) {
  const int n = sampling.top_k > 0 ? sampling.top_k : static_cast<int>(logits.size());
  const std::vector<Candidate> sorted = best_of(logits, n);
  return drawn_from(sorted, weights_of(sorted, sampling), point);
}

double log_sum_exp(std::span<const float> logits) {
  const float best = logits[best_of(logits)];
  double sum = 0;
  for (float logit : logits) sum += std::exp(static_cast<double>(logit) - best);
  return best + std::log(sum);
}

bool adjusts(const Sampling& sampling) {
  return sampling.presence_penalty != 0 || sampling.frequency_penalty != 0 || sampling.repetition_penalty != 1 ||
         !sampling.logit_bias.empty();
}

void adjust(std::span<float> logits, const Sampling& sampling, std::span<const int> tokens,
            std::span<const int> generated) {
  if (sampling.repetition_penalty != 1) {
    for (const int token : std::set<int>(tokens.begin(), tokens.end())) {
      float& logit = logits[static_cast<size_t>(token)];
      logit = logit > 0 ? logit / sampling.repetition_penalty : logit * sampling.repetition_penalty;
    }
  }
  std::map<int, int> counts;
  for (const int token : generated) ++counts[token];
  for (const auto& [token, n] : counts) {
    logits[static_cast<size_t>(token)] -=
        sampling.presence_penalty + sampling.frequency_penalty * static_cast<float>(n);
  }
  for (const LogitBias& bias : sampling.logit_bias) {
    if (static_cast<size_t>(bias.id) < logits.size()) logits[static_cast<size_t>(bias.id)] += bias.bias;
  }
}

int generated_of(const Request& request, std::span<const int> tokens) {
  return static_cast<int>(tokens.size() - request.prompt.size()) + request.n_told;
}

// Those of the end tokens that cannot come next.
std::span<const int> held_back(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens) {
  const bool may_end = generated_of(request, tokens) >= request.min_tokens || request.ignore_eos;
  return may_end ? std::span<const int>() : end_tokens;
}

double point_of(const Request& request, std::span<const int> tokens) {
  return uniform(request.sampling.seed, static_cast<int>(tokens.size()));
}

// A sum that is known to lie between two values.
struct Bounds {
  double least = 0;
  double most = 0;
};

// Of a device's sums, once for what they are and once for a scale that is 1 / temperature rounded.
constexpr double kTolerance = 2 * kSumTolerance;
// Far above what sums in f64 in another order differ by.
constexpr double kRounding = 1e-9;

// A row's candidates without those that are held back, and what is known of what is not among them.
struct Candidates {
  std::vector<Candidate> sorted;
  std::vector<double> weights;
  double held = 0;   // weights of those that are held back and listed
  int n_hidden = 0;  // that are held back and not listed
};

Candidates candidates_of(const RowDigest& digest, const Sampling& sampling, std::span<const int> held_back) {
  const auto is_held = [&](const Candidate& c) {
    return std::find(held_back.begin(), held_back.end(), c.id) != held_back.end();
  };
  Candidates all = {.sorted = {}, .weights = {}, .n_hidden = static_cast<int>(held_back.size())};
  std::copy_if(digest.best.begin(), digest.best.end(), std::back_inserter(all.sorted), std::not_fn(is_held));
  if (all.sorted.empty()) return all;
  for (const Candidate& c : digest.best) {
    if (!is_held(c)) continue;
    all.held += weight_of(c, all.sorted[0], sampling);
    --all.n_hidden;
  }
  for (const Candidate& c : all.sorted) all.weights.push_back(weight_of(c, all.sorted[0], sampling));
  return all;
}

// Of the weights of all that may be drawn. Not listed: none of them weighs more than the last one that is.
Bounds weight_of_all(const RowDigest& digest, const Candidates& candidates, const Sampling& sampling) {
  const double listed = std::accumulate(candidates.weights.begin(), candidates.weights.end(), 0.0);
  const double last = candidates.weights.back();
  const double total = digest.scaled_sum * weight_of(digest.best[0], candidates.sorted[0], sampling);
  Bounds rest = {.least = total * (1 - kTolerance) - candidates.held - listed - candidates.n_hidden * last,
                 .most = total * (1 + kTolerance) - candidates.held - listed};
  if (sampling.top_k > 0) {
    const auto n_more = static_cast<double>(sampling.top_k) - static_cast<double>(candidates.sorted.size());
    rest = {.least = 0, .most = std::min(rest.most, n_more * last)};
  }
  if (sampling.min_p > 0) rest.least = 0;
  return {.least = (listed + std::max(rest.least, 0.0)) * (1 - kRounding),
          .most = (listed + std::max(rest.most, 0.0)) * (1 + kRounding)};
}

// nullopt: another sum within its bounds could lead to another token.
std::optional<int> drawn_from(const RowDigest& digest, const Candidates& candidates, const Sampling& sampling,
                              double point) {
  const std::span<const Candidate> sorted = candidates.sorted;
  const auto n = static_cast<int>(sorted.size());
  if (sampling.top_k > 0 && sampling.top_k <= n) {
    const auto first = sorted.first(static_cast<size_t>(sampling.top_k));
    return drawn_from(first, weights_of(first, sampling), point);
  }
  const double last = candidates.weights.back();
  if (last < sampling.min_p) return drawn_from(sorted, weights_of(sorted, sampling), point);
  const Bounds all = weight_of_all(digest, candidates, sampling);
  if (!std::isfinite(all.most) || !std::isfinite(digest.best[0].logit)) return std::nullopt;

  std::vector<double> until(candidates.weights.size());  // and with each
  std::partial_sum(candidates.weights.begin(), candidates.weights.end(), until.begin());
  Bounds kept = all;
  if (sampling.top_p < 1) {
    const auto least = std::lower_bound(until.begin(), until.end(), sampling.top_p * all.least);
    const auto most = std::lower_bound(until.begin(), until.end(), sampling.top_p * all.most);
    if (least == most && most != until.end()) {  // the nucleus is known
      std::vector<double> weights = candidates.weights;
      weights.resize(static_cast<size_t>(most - until.begin()) + 1);
      return drawn_from(sorted, weights, point);
    }
    // It ends with the candidate that makes it large enough.
    kept = {.least = least != until.end() ? *least : sampling.top_p * all.least,
            .most = most != until.end() ? *most : std::min(all.most, sampling.top_p * all.most + last)};
  }
  const auto least = std::upper_bound(until.begin(), until.end(), point * kept.least * (1 - kRounding));
  const auto most = std::upper_bound(until.begin(), until.end(), point * kept.most * (1 + kRounding));
  if (least != most || most == until.end()) return std::nullopt;
  return sorted[static_cast<size_t>(most - until.begin())].id;
}

void add_logprobs(Token& token, std::span<const float> logits, const Request& request) {
  if (request.n_logprobs < 0) return;
  const double normalizer = log_sum_exp(logits);
  token.logprob = static_cast<float>(logits[static_cast<size_t>(token.id)] - normalizer);
  for (const Candidate& c : best_of(logits, request.n_logprobs))
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
  const int n_generated = generated_of(request, tokens);
  end_tokens = held_back(request, tokens, end_tokens);
  std::vector<float> adjusted;
  std::span<const float> wanted = logits;
  if (!end_tokens.empty() || adjusts(request.sampling)) {
    adjusted.assign(logits.begin(), logits.end());
    adjust(adjusted, request.sampling, tokens, tokens.last(static_cast<size_t>(n_generated)));
    for (const int end : end_tokens) adjusted[static_cast<size_t>(end)] = kLowest;
    wanted = adjusted;
  }
  Token token;
  const Sampling& sampling = request.sampling;
  token.id = sampling.temperature > 0 ? drawn_from(wanted, sampling, point_of(request, tokens)) : best_of(wanted);
  add_logprobs(token, logits, request);
  return token;
}

DigestNeeds needs_of(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens) {
  const Sampling& sampling = request.sampling;
  const bool draws = sampling.temperature > 0, adjusted = adjusts(sampling);
  const auto n_held = static_cast<int>(held_back(request, tokens, end_tokens).size());
  DigestNeeds needs;
  if (!adjusted && (draws || n_held > 0 || request.n_logprobs >= 0)) needs.n_best = kMostBest;
  if (draws) {
    needs.scale =
        std::clamp(1 / sampling.temperature, std::numeric_limits<float>::min(), std::numeric_limits<float>::max());
  }
  const bool listed = draws ? sampling.top_k > 0 && sampling.top_k + n_held <= kMostBest : n_held == 0;
  needs.may_ask = adjusted || !listed || request.n_logprobs > kMostBest;
  return needs;
}

std::optional<Token> next_token(const RowDigest& digest, const Request& request, std::span<const int> tokens,
                                std::span<const int> end_tokens) {
  if (digest.all) return next_token(logits_of(digest), request, tokens, end_tokens);
  const Sampling& sampling = request.sampling;
  const auto n_top = static_cast<size_t>(std::max(request.n_logprobs, 0));
  if (adjusts(sampling) || n_top > digest.best.size()) return std::nullopt;
  const Candidates candidates = candidates_of(digest, sampling, held_back(request, tokens, end_tokens));
  if (candidates.sorted.empty() || candidates.sorted[0].logit == kLowest) return std::nullopt;

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
