#include "core/engine/draw.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace ferry {

namespace {

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

// One of sorted candidates, by their weights.
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

constexpr float kLowest = -std::numeric_limits<float>::infinity();

float number_of(float logit) { return logit > kLowest ? logit : kLowest; }

// A vocabulary in bins, by how far a logit is below the best one: no token is better than one of a bin before its own.
// So where sums of weights, best first, come to some value is found with one bin sorted. Sorting all tokens would take
// longer than a step of a small model.
class Bins {
 public:
  Bins(std::span<const float> logits, const Sampling& sampling);

  double total() const { return total_; }

  struct Place {
    Candidate token;
    double until = 0;  // the sum of weights up to this token and with it
  };
  Place first_above(double sum) const;  // the last one of all where rounding leaves none

 private:
  static constexpr size_t kBins = 2048;  // of which the last one has no end
  static constexpr float kBinsOfANat = 32;

  size_t bin_of(float logit) const {
    const float bin = (best_.logit - number_of(logit)) * bins_of_a_logit_;
    return bin < kBins - 1 ? static_cast<size_t>(bin) : kBins - 1;
  }
  double weight_of(float logit) const {  // zero: it is not drawn
    const double weight = ferry::weight_of({.logit = number_of(logit)}, best_, sampling_);
    return weight < sampling_.min_p ? 0 : weight;
  }
  std::vector<Candidate> sorted(size_t bin) const;  // those that may be drawn

  const std::span<const float> logits_;
  const Sampling& sampling_;
  const Candidate best_;
  const float bins_of_a_logit_;
  std::array<double, kBins> sums_ = {};  // of weights
  double total_ = 0;
  size_t last_ = 0;  // bin with a weight
};

Bins::Bins(std::span<const float> logits, const Sampling& sampling)
    : logits_(logits),
      sampling_(sampling),
      best_(best_of(logits)),
      bins_of_a_logit_(kBinsOfANat / sampling.temperature) {
  for (const float logit : logits) sums_[bin_of(logit)] += weight_of(logit);
  for (size_t bin = 0; bin < kBins; ++bin) {
    total_ += sums_[bin];
    if (sums_[bin] > 0) last_ = bin;
  }
}

Bins::Place Bins::first_above(double sum) const {
  double until = 0;
  size_t bin = 0;
  while (bin < last_ && until + sums_[bin] <= sum) until += sums_[bin++];
  Place place = {.token = best_, .until = until};
  for (const Candidate& c : sorted(bin)) {
    place = {.token = c, .until = place.until + weight_of(c.logit)};
    if (place.until > sum) break;
  }
  return place;
}

std::vector<Candidate> Bins::sorted(size_t bin) const {
  std::vector<Candidate> tokens;
  for (size_t i = 0; i < logits_.size(); ++i) {
    if (bin_of(logits_[i]) == bin && weight_of(logits_[i]) > 0) tokens.push_back({static_cast<int>(i), logits_[i]});
  }
  std::ranges::sort(tokens, better);
  return tokens;
}

// The same of all tokens.
int drawn_from_all(std::span<const float> logits, const Sampling& sampling, double point) {
  const Bins bins(logits, sampling);
  if (sampling.top_p >= 1) return bins.first_above(point * bins.total()).token.id;  // which cuts nothing off
  const Bins::Place last = bins.first_above(std::nextafter(sampling.top_p * bins.total(), 0.0));
  const Bins::Place drawn = bins.first_above(point * last.until);
  return (better(last.token, drawn.token) ? last : drawn).token.id;  // not behind it by rounding
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

// Of the weights of all that may be drawn.
Bounds weight_of_all(const RowDigest& digest, const Candidates& candidates, const Sampling& sampling) {
  const double listed = std::accumulate(candidates.weights.begin(), candidates.weights.end(), 0.0);
  const double least = candidates.least_weight;
  const double total = digest.scaled_sum * weight_of(digest.best[0], candidates.sorted[0], sampling);
  Bounds rest = {.least = total * (1 - kTolerance) - candidates.lost - listed - candidates.n_hidden * least,
                 .most = total * (1 + kTolerance) - candidates.lost - listed};
  if (sampling.top_k > 0) {
    const auto n_more = static_cast<double>(sampling.top_k) - static_cast<double>(candidates.sorted.size());
    rest = {.least = 0, .most = std::min(rest.most, n_more * least)};
  }
  if (sampling.min_p > 0) rest.least = 0;
  return {.least = (listed + std::max(rest.least, 0.0)) * (1 - kRounding),
          .most = (listed + std::max(rest.most, 0.0)) * (1 + kRounding)};
}

}  // namespace

Candidate best_of(std::span<const float> logits) {
  Candidate best = {.id = 0, .logit = kLowest};
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > best.logit) best = {static_cast<int>(i), logits[i]};
  }
  return best;
}

std::vector<Candidate> best_of(std::span<const float> logits, size_t n) {
  std::vector<Candidate> all(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) all[i] = {static_cast<int>(i), number_of(logits[i])};
  n = std::min(n, all.size());
  std::ranges::partial_sort(all, all.begin() + static_cast<std::ptrdiff_t>(n), better);
  all.resize(n);
  return all;
}

int drawn_from(std::span<const float> logits, const Sampling& sampling, double point) {
  if (sampling.top_k == 0) return drawn_from_all(logits, sampling, point);
  const std::vector<Candidate> sorted = best_of(logits, static_cast<size_t>(sampling.top_k));
  return drawn_from(sorted, weights_of(sorted, sampling), point);
}

Candidates candidates_of(const RowDigest& digest, const Sampling& sampling, const LogitChanges& changes) {
  const Candidate& last = digest.best.back();
  Candidates all = {.sorted = {}, .weights = {}, .n_hidden = changes.n_ids()};
  for (const Candidate& c : digest.best) {
    const Candidate changed = {c.id, changes.of(c.id, c.logit)};
    if (!better(last, changed)) all.sorted.push_back(changed);
  }
  if (all.sorted.empty()) return all;
  std::ranges::sort(all.sorted, better);
  const Candidate& best = all.sorted[0];
  for (const Candidate& c : all.sorted) all.weights.push_back(weight_of(c, best, sampling));
  all.least_weight = weight_of(last, best, sampling);
  if (changes.empty()) return all;
  for (const Candidate& c : digest.best) {
    if (!changes.includes(c.id)) continue;
    all.lost += weight_of(c, best, sampling) - weight_of({c.id, changes.of(c.id, c.logit)}, best, sampling);
    --all.n_hidden;
  }
  return all;
}

std::optional<int> drawn_from(const RowDigest& digest, const Candidates& candidates, const Sampling& sampling,
                              double point) {
  const std::span<const Candidate> sorted = candidates.sorted;
  const auto n = static_cast<int>(sorted.size());
  if (sampling.top_k > 0 && sampling.top_k <= n) {
    const auto first = sorted.first(static_cast<size_t>(sampling.top_k));
    return drawn_from(first, weights_of(first, sampling), point);
  }
  if (candidates.least_weight < sampling.min_p) return drawn_from(sorted, weights_of(sorted, sampling), point);
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
    kept = {
        .least = least != until.end() ? *least : sampling.top_p * all.least,
        .most = most != until.end() ? *most : std::min(all.most, sampling.top_p * all.most + candidates.least_weight)};
  }
  const auto least = std::upper_bound(until.begin(), until.end(), point * kept.least * (1 - kRounding));
  const auto most = std::upper_bound(until.begin(), until.end(), point * kept.most * (1 + kRounding));
  if (least != most || most == until.end()) return std::nullopt;
  return sorted[static_cast<size_t>(most - until.begin())].id;
}

}  // namespace ferry
