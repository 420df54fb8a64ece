#include "core/engine/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "core/base/hash.h"

namespace ferry {

namespace {

struct Candidate {
  int id = 0;
  float logit = 0;
};

bool better(const Candidate& a, const Candidate& b) { return a.logit > b.logit || (a.logit == b.logit && a.id < b.id); }

int best_of(std::span<const float> logits) {
  return static_cast<int>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

// The n best, best first.
std::vector<Candidate> best_of(std::span<const float> logits, int n) {
  std::vector<Candidate> all(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) all[i] = {static_cast<int>(i), logits[i]};
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

// Weights of sorted candidates, not normalized: exp((logit - best) / temperature), those below min_p · best cut off,
// then those after the first ones that make up top_p.
std::vector<double> weights_of(const std::vector<Candidate>& sorted, const Sampling& sampling) {
  std::vector<double> weights;
  double sum = 0;
  for (const Candidate& c : sorted) {
    const double weight = std::exp((static_cast<double>(c.logit) - sorted[0].logit) / sampling.temperature);
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

int drawn_from(std::span<const float> logits, const Sampling& sampling, int position) {
  const int n = sampling.top_k > 0 ? sampling.top_k : static_cast<int>(logits.size());
  const std::vector<Candidate> sorted = best_of(logits, n);
  const std::vector<double> weights = weights_of(sorted, sampling);
  double sum = 0;
  for (double weight : weights) sum += weight;
  double left = uniform(sampling.seed, position) * sum;
  for (size_t i = 0; i + 1 < weights.size(); ++i) {
    left -= weights[i];
    if (left < 0) return sorted[i].id;
  }
  return sorted[weights.size() - 1].id;
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

}  // namespace

Token next_token(std::span<const float> logits, const Request& request, std::span<const int> tokens,
                 std::span<const int> end_tokens) {
  const int n_generated = static_cast<int>(tokens.size() - request.prompt.size()) + request.n_told;
  if (n_generated >= request.min_tokens || request.ignore_eos) end_tokens = {};
  std::vector<float> adjusted;
  std::span<const float> wanted = logits;
  if (!end_tokens.empty() || adjusts(request.sampling)) {
    adjusted.assign(logits.begin(), logits.end());
    adjust(adjusted, request.sampling, tokens, tokens.last(static_cast<size_t>(n_generated)));
    for (const int end : end_tokens) adjusted[static_cast<size_t>(end)] = -std::numeric_limits<float>::infinity();
    wanted = adjusted;
  }
  Token token;
  const Sampling& sampling = request.sampling;
  token.id = sampling.temperature > 0 ? drawn_from(wanted, sampling, static_cast<int>(tokens.size())) : best_of(wanted);
  if (request.n_logprobs >= 0) {
    const double normalizer = log_sum_exp(logits);
    token.logprob = static_cast<float>(logits[token.id] - normalizer);
    for (const Candidate& c : best_of(logits, request.n_logprobs)) {
      token.top.push_back({.id = c.id, .logprob = static_cast<float>(c.logit - normalizer)});
    }
  }
  return token;
}

}  // namespace ferry
