#pragma once
// Lists of pieces, as every link handles them before it moves a byte.

#include <cstddef>
#include <span>
#include <vector>

#include "core/seam/kv_link.h"

namespace ferry {

// Neighbours in the list that are neighbours in both memories become one; empty ones go. Fewer, larger puts: `use` gets
// one after the other, and nothing is allocated for that.
template <class Use>
void for_each_joined(std::span<const Piece> pieces, Use use) {
  Piece run;
  for (const Piece& piece : pieces) {
    if (piece.bytes == 0) continue;
    const bool continues = run.from + run.bytes == piece.from && run.to + run.bytes == piece.to;
    if (run.bytes > 0 && !continues) use(run);
    if (run.bytes > 0 && continues) {
      run.bytes += piece.bytes;
    } else {
      run = piece;
    }
  }
  if (run.bytes > 0) use(run);
}

std::vector<Piece> joined(std::span<const Piece> pieces);

uint64_t bytes_of(std::span<const Piece> pieces);

// A piece outside of either memory is a bug of the caller.
void check_inside(std::span<const Piece> pieces, uint64_t from_bytes, uint64_t to_bytes);

}  // namespace ferry
