#include "core/engine/draw.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace ferry {

namespace {

// The first ones a heap finds sooner than partitions do. Where they are not enough, as many times more are sorted next.
constexpr size_t kByHeap = 256, kGrowth = 8;

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

// The same of all tokens, of which no more are sorted than that takes.
int drawn_from(BestFirst& all, const Sampling& sampling, double point) {
  const Candidate best = all[0];
  double sum = 0;
  size_t n_kept = 0;
  for (const Candidate& c : all.in_any_order()) {
    const double weight = weight_of(c, best, sampling);
    if (weight < sampling.min_p) continue;
    sum += weight;
    ++n_kept;
  }
  if (sampling.top_p < 1) {  // otherwise that cuts nothing off
    const double wanted = sampling.top_p * sum;
    double kept = 0;
    for (size_t i = 0; i < n_kept && kept < wanted; ++i) {
      kept += weight_of(all[i], best, sampling);
      if (kept >= wanted) n_kept = i + 1;
    }
    sum = kept;
  }
  double left = point * sum;
  for (size_t i = 0; i + 1 < n_kept; ++i) {
    left -= weight_of(all[i], best, sampling);
    if (left < 0) return all[i].id;
  }
  return all[n_kept - 1].id;
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

BestFirst::BestFirst(std::span<const float> logits) : all_(logits.size()) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  for (size_t i = 0; i < logits.size(); ++i) all_[i] = {static_cast<int>(i), logits[i] > kLowest ? logits[i] : kLowest};
}

const Candidate& BestFirst::operator[](size_t i) {
  if (i >= n_sorted_) sort_until(std::max({i + 1, kByHeap, kGrowth * n_sorted_}));
  return all_[i];
}

std::span<const Candidate> BestFirst::first(size_t n) {
  sort_until(n);
  return std::span(all_).first(std::min(n, all_.size()));
}

void BestFirst::sort_until(size_t n) {
  n = std::min(n, all_.size());
  if (n <= n_sorted_) return;
  const auto begin = all_.begin() + static_cast<std::ptrdiff_t>(n_sorted_);
  const auto end = all_.begin() + static_cast<std::ptrdiff_t>(n);
  if (n <= kByHeap) {
    std::partial_sort(begin, end, all_.end(), better);
  } else {
    if (n < all_.size()) std::nth_element(begin, end, all_.end(), better);
    std::sort(begin, end, better);
  }
  n_sorted_ = n;
}

int drawn_from(std::span<const float> logits, const Sampling& sampling, double point) {
  BestFirst all(logits);
  if (sampling.top_k == 0) return drawn_from(all, sampling, point);
  const std::span<const Candidate> sorted = all.first(static_cast<size_t>(sampling.top_k));
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
