#pragma once
// What a model reads next, in tests that drive one without an engine.

#include <utility>
#include <vector>

#include "core/engine/batch.h"

namespace ferry {

// Of a batch's only sequence, which has `n_before` tokens already, the next; `pages` hold all of it. No logits.
inline Batch next_batch(const std::vector<int>& tokens, int n_before, std::vector<int> pages) {
  Batch batch;
  for (const int token : tokens) {
    batch.tokens.push_back(token);
    batch.positions.push_back(n_before++);
  }
  batch.row_begin.push_back(batch.n_rows());
  batch.pages = std::move(pages);
  batch.page_begin.push_back(static_cast<int>(batch.pages.size()));
  return batch;
}

}  // namespace ferry
