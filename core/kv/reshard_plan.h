#pragma once
// How the KV of one group's ranks becomes that of another group's: for each pair of ranks, the rectangle of layers ×
// heads that the first sends to the second. A pure function of two lists of rectangles, computed once per pair of
// groups, applied to the page lists of every request.
//
// Each destination rank gets each cell of its rectangle exactly once. Where several source ranks hold a cell, the one
// that has the least to send so far is chosen.

#include <span>
#include <vector>

#include "core/kv/kv_layout.h"
#include "core/kv/shard.h"
#include "core/seam/kv_link.h"

namespace ferry {

struct Transfer {
  int source = 0;       // rank in the source group
  int destination = 0;  // rank in the destination group
  Shard part;           // what is sent
  bool operator==(const Transfer&) const = default;
};

class ReshardPlan {
 public:
  // Error when the destination needs a cell that no source rank holds.
  ReshardPlan(std::span<const Shard> source, std::span<const Shard> destination);

  const std::vector<Transfer>& transfers() const { return transfers_; }  // by source, then destination
  std::vector<Transfer> from(int source) const;

  // Layer × head cells that a source rank sends; times 2 · head_dim · element bytes it is the bytes of a token.
  int cells_sent_by(int source) const;
  int longest_sender() const;  // the rank that sends most: with equal links, it is what a handoff waits for

 private:
  std::vector<Transfer> transfers_;
  int n_sources_ = 0;
};

// A sequence on one rank: token t lies in pages[t / page_tokens].
struct PagedSequence {
  const KvLayout& layout;
  std::span<const int> pages;
};

// The copies that move layer `layer` of tokens [tokens) for one transfer: one piece for a whole page, one for keys and
// one for values of each head where a page is partly covered; never a byte that is not of these tokens. Both sides have
// pages of one size.
std::vector<Piece> pieces_of(const Transfer& transfer, const PagedSequence& from, const PagedSequence& to, int layer,
                             Range tokens);

}  // namespace ferry
