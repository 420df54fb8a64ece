#pragma once
// What a rank says of logits that a test made up: as TopLogits, in f64.

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "core/engine/digest.h"
#include "core/kv/shard.h"

namespace ferry {

// `logits` [n logit rows of the batch, vocabulary.size()], which are numbers.
inline Digests digests_of(std::span<const float> logits, const Batch& batch, Range vocabulary) {
  Digests digests;
  const auto width = static_cast<size_t>(vocabulary.size()), n_best = static_cast<size_t>(batch.n_best);
  for (size_t row = 0; row < batch.logit_rows.size(); ++row) {
    const auto values = logits.subspan(row * width, width);
    std::vector<Candidate> sorted;
    for (size_t i = 0; i < width; ++i) sorted.push_back({vocabulary.begin + static_cast<int>(i), values[i]});
    std::sort(sorted.begin(), sorted.end(), better);
    for (size_t i = 0; i < n_best; ++i) {
      digests.ids.push_back(i < width ? sorted[i].id : -1);
      digests.best.push_back(i < width ? sorted[i].logit : -std::numeric_limits<float>::infinity());
    }
    for (const float scale : {1.0f, batch.n_best > 1 ? batch.scales[row] : 0.0f}) {
      if (batch.n_best == 1) continue;
      digests.sums.push_back(
          static_cast<float>(std::accumulate(values.begin(), values.end(), 0.0, [&](double sum, float logit) {
            return sum + std::exp((static_cast<double>(logit) - sorted[0].logit) * scale);
          })));
    }
  }
  return digests;
}

}  // namespace ferry
