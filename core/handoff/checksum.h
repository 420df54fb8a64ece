#pragma once
// Sums over the KV of tokens, by which a receiver compares what landed with what was sent.
//
// The sum of one hash for each key and value of each token in each head and layer: so it does not matter in which
// order, in how many puts, or through which pages they went.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/engine/step.h"
#include "core/kv/kv_layout.h"

namespace ferry {

// Of layer `layer` and heads [heads) of tokens [tokens).
struct KvPart {
  int layer = 0;
  Range heads;
  Range tokens;
};

// What one page has of a part: tokens of the page whose place in the sequence is `index`.
struct SummedPage {
  int index = 0;
  KvPart part;
};

// Whose sums make up that of the part. Sampled: one page in kSampledOneIn of each layer, each page in another layer;
// which ones is the same on both sides.
constexpr int kSampledOneIn = 16;
std::vector<SummedPage> summed_pages(wire::Verify verify, const KvPart& part, int page_tokens);

// `heads`: where the page's heads of this layer lie, beginning with the part's first one.
uint64_t sum_of_page(const KvLayout& layout, const std::byte* heads, const KvPart& part);

// The KV of a sequence in memory that can be read: token t lies in pages[t / page_tokens].
struct KvOfSequence {
  const KvLayout& layout;
  std::span<const std::byte> memory;
  std::span<const int> pages;
};
uint64_t checksum(wire::Verify verify, const KvOfSequence& kv, const KvPart& part);

}  // namespace ferry
