#pragma once
// Sums over the KV of tokens, by which a receiver compares what landed with what was sent.
//
// The sum of one hash for each key and value of each token in each head and layer: so it does not matter in which
// order, in how many puts, or through which pages they went.

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/engine/step.h"
#include "core/kv/kv_layout.h"

namespace ferry {

// The KV of a sequence in one rank's memory: token t lies in pages[t / page_tokens].
struct KvOfSequence {
  const KvLayout& layout;
  std::span<const std::byte> memory;
  std::span<const int> pages;
};

// Of layer `layer` and heads [heads) of tokens [tokens). Sampled: one page in kSampledOneIn of each layer, each page in
// another layer; which ones is the same on both sides.
constexpr int kSampledOneIn = 16;
uint64_t checksum(wire::Verify verify, const KvOfSequence& kv, int layer, Range heads, Range tokens);

}  // namespace ferry
