#pragma once
// Which token a draw falls on. Tokens stand side by side, best first, each as wide as its weight, exp(logit /
// temperature); top_k, min_p and top_p cut off the end; a point in [0, 1) falls on one of the rest.

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "core/engine/digest.h"
#include "core/engine/logit_changes.h"
#include "core/engine/request.h"

namespace ferry {

// Of a row; what is no number counts as −infinity.
Candidate best_of(std::span<const float> logits);
std::vector<Candidate> best_of(std::span<const float> logits, size_t n);  // best first; all where there are not so many

int drawn_from(std::span<const float> logits, const Sampling& sampling, double point);

// What a digest says of a row whose logits are changed, though never to higher ones.
struct Candidates {
  std::vector<Candidate> sorted;  // changed, best first; whatever is not here is not better than the last
  // Of each, as wide as the first one's is one; and what is not here is not wider than that.
  std::vector<double> weights;
  double least_weight = 0;
  double lost = 0;   // of what the digest lists, by changes
  int n_hidden = 0;  // changed, and not listed in the digest
};
Candidates candidates_of(const RowDigest& digest, const Sampling& sampling, const LogitChanges& changes);

// nullopt: another sum within its tolerance could lead to another token.
std::optional<int> drawn_from(const RowDigest& digest, const Candidates& candidates, const Sampling& sampling,
                              double point);

}  // namespace ferry
