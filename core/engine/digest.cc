#include "core/engine/digest.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/check.h"

namespace ferry {

namespace {

// What a rank has of a row. False: there was more than it could say.
bool take_candidates(const Digests& part, size_t row, size_t n_best, std::vector<Candidate>& candidates) {
  for (size_t i = row * n_best; i < (row + 1) * n_best; ++i) {
    if (part.ids[i] < 0) return true;
    candidates.push_back({part.ids[i], part.best[i]});
  }
  return false;
}

RowDigest merged_row(const std::vector<Digests>& by_rank, const Batch& batch, size_t row) {
  const auto n_best = static_cast<size_t>(batch.n_best);
  RowDigest digest = {.best = {}, .all = true};
  for (const Digests& part : by_rank) {
    const auto n_before = static_cast<std::ptrdiff_t>(digest.best.size());
    if (!take_candidates(part, row, n_best, digest.best)) digest.all = false;
    std::inplace_merge(digest.best.begin(), digest.best.begin() + n_before, digest.best.end(), better);
    if (digest.best.size() > n_best) {
      digest.best.resize(n_best);
      digest.all = false;
    }
  }
  if (n_best == 1) return digest;
  const double top = digest.best[0].logit, scale = batch.scales[row];
  for (const Digests& part : by_rank) {
    const double below = part.best[row * n_best] - top;
    if (!(below > -std::numeric_limits<double>::infinity())) continue;  // nothing but −infinity
    digest.sum += part.sums[2 * row] * std::exp(below);
    digest.scaled_sum += part.sums[2 * row + 1] * std::exp(below * scale);
  }
  return digest;
}

}  // namespace

std::vector<RowDigest> merged(const std::vector<Digests>& by_rank, const Batch& batch) {
  const size_t n_rows = batch.logit_rows.size(), n_candidates = n_rows * static_cast<size_t>(batch.n_best);
  for (const Digests& part : by_rank) {
    check(part.ids.size() == n_candidates && part.best.size() == n_candidates, "ranks digest every logit row");
    check(part.sums.size() == (batch.n_best > 1 ? 2 * n_rows : 0), "ranks sum every logit row");
  }
  std::vector<RowDigest> rows;
  for (size_t row = 0; row < n_rows && !by_rank.empty(); ++row) rows.push_back(merged_row(by_rank, batch, row));
  return rows;
}

}  // namespace ferry
