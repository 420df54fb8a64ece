#include "transport/pieces.h"

#include "core/base/check.h"

namespace ferry {

std::vector<Piece> joined(std::span<const Piece> pieces) {
  std::vector<Piece> result;
  for_each_joined(pieces, [&](const Piece& piece) { result.push_back(piece); });
  return result;
}

uint64_t bytes_of(std::span<const Piece> pieces) {
  uint64_t sum = 0;
  for (const Piece& piece : pieces) sum += piece.bytes;
  return sum;
}

void check_inside(std::span<const Piece> pieces, uint64_t from_bytes, uint64_t to_bytes) {
  // Compared without a sum, which could wrap around.
  const auto inside = [](uint64_t begin, uint64_t bytes, uint64_t size) {
    return bytes <= size && begin <= size - bytes;
  };
  for (const Piece& piece : pieces) {
    check(inside(piece.from, piece.bytes, from_bytes), "a piece comes from this rank's memory");
    check(inside(piece.to, piece.bytes, to_bytes), "a piece goes into the peer's memory");
  }
}

}  // namespace ferry
