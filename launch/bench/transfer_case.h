#pragma once
// What `ferry bench transfer` moves: pieces from one memory into another, as handoffs do.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/seam/kv_link.h"

namespace ferry {

struct TransferCase {
  std::string name;
  std::vector<std::vector<Piece>> puts;  // each handed to the link at once, in this order; none overlaps another

  size_t bytes() const;
  size_t n_pieces() const;
  size_t piece_bytes() const { return n_pieces() == 0 ? 0 : bytes() / n_pieces(); }  // on average
};

// All of `total_bytes`, cut into equal pieces whose destinations are permuted: pages are scattered.
TransferCase scattered_case(size_t piece_bytes, size_t total_bytes);

// What the rank that sends most puts into one rank of the other group, a layer at a time, where TP degrees differ and
// where they do not: a made-up model of 24 layers, 12 KV heads of 64 values in f16, pages of 16 tokens. Once into pages
// that lie scattered, once into fresh ones, which lie in a row. Empty when no page fits `memory_bytes`.
std::vector<TransferCase> kv_cases(size_t memory_bytes);

}  // namespace ferry
