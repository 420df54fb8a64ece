#pragma once
// What ranks say of rows of logits instead of sending them: each digests its part of the vocabulary on its device
// (TopLogits), rank 0 merges the parts. Most tokens are chosen from that (sampler.h); where whole rows are needed, rank
// 0 asks all ranks for them, in the same step.

#include <vector>

#include "core/engine/batch.h"

namespace ferry {

// One rank's, of all logit rows of a batch, as TopLogits has them.
struct Digests {
  std::vector<int> ids;     // [n logit rows, n_best]
  std::vector<float> best;  // [n logit rows, n_best]
  std::vector<float> sums;  // [n logit rows, 2]; empty where n_best is 1
  template <class A>
  void fields(A& a) {
    a(ids, best, sums);
  }
};

struct Candidate {
  int id = 0;
  float logit = 0;
  bool operator==(const Candidate&) const = default;
};

// The order that tokens are chosen in: the lowest id first among equals.
inline bool better(const Candidate& a, const Candidate& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
}

// Of one row and the whole vocabulary.
struct RowDigest {
  std::vector<Candidate> best;  // best first
  bool all = false;             // the whole vocabulary is in `best`
  double sum = 0;               // of exp(logit − best[0].logit), all of the vocabulary; known where n_best is above 1
  double scaled_sum = 0;        // of exp((logit − best[0].logit) · scale)
};

// By logit row; empty where `by_rank` is, which is in rank order.
std::vector<RowDigest> merged(const std::vector<Digests>& by_rank, const Batch& batch);

}  // namespace ferry
