#pragma once
// The rows of one step, flat: decode tokens and prefill chunks of many sequences side by side. See BatchView for how
// the arrays hang together.

#include <algorithm>
#include <vector>

#include "core/seam/ops.h"

namespace ferry {

struct Batch {
  std::vector<int> tokens;            // [n_rows]
  std::vector<int> positions;         // [n_rows]
  std::vector<int> row_begin = {0};   // [n_sequences + 1]
  std::vector<int> page_begin = {0};  // [n_sequences + 1]
  std::vector<int> pages;             // [page_begin.back()]
  std::vector<int> logit_rows;        // rows whose logits are wanted, ascending
  // How those are digested (TopLogits).
  int n_best = 1;             // of each
  std::vector<float> scales;  // [n logit rows]; may be empty where n_best is 1
  bool may_ask = false;       // rank 0 may ask for whole logits when it has seen the digests

  int n_rows() const { return static_cast<int>(tokens.size()); }
  int n_sequences() const { return static_cast<int>(row_begin.size()) - 1; }
  int most_rows() const {  // of a sequence
    int most = 0;
    for (int s = 0; s < n_sequences(); ++s) most = std::max(most, row_begin[s + 1] - row_begin[s]);
    return most;
  }
  bool is_row_each() const {  // one of each sequence, and its logits
    return n_sequences() == n_rows() && most_rows() == 1 && static_cast<int>(logit_rows.size()) == n_rows();
  }
  BatchView view() const {
    return {.n_rows = n_rows(),
            .n_sequences = n_sequences(),
            .positions = positions.data(),
            .row_begin = row_begin.data(),
            .page_begin = page_begin.data(),
            .pages = pages.data(),
            .n_pages = static_cast<int>(pages.size()),
            .most_rows = most_rows()};
  }
  template <class A>
  void fields(A& a) {
    a(tokens, positions, row_begin, page_begin, pages, logit_rows, n_best, scales, may_ask);
  }
};

}  // namespace ferry
