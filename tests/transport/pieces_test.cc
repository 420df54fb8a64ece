#include "transport/pieces.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

TEST(Pieces, NeighboursInBothMemoriesAreJoined) {
  const std::vector<Piece> pieces{{0, 100, 8}, {8, 108, 8}, {16, 116, 0}, {16, 116, 4}, {20, 200, 4}, {30, 204, 4}};
  const std::vector<Piece> expected{{0, 100, 20}, {20, 200, 4}, {30, 204, 4}};
  EXPECT_EQ(joined(pieces), expected);
  EXPECT_EQ(bytes_of(pieces), bytes_of(expected));
  EXPECT_TRUE(joined({}).empty());
}

TEST(PiecesDeath, APieceOutsideOfEitherMemoryIsABug) {
  const auto inside = [](Piece piece) { check_inside({&piece, 1}, 16, 8); };
  inside({.from = 8, .to = 0, .bytes = 8});
  inside({.from = 16, .to = 8, .bytes = 0});
  EXPECT_DEATH(inside({.from = 0, .to = 1, .bytes = 8}), "the peer's memory");
  EXPECT_DEATH(inside({.from = 9, .to = 0, .bytes = 8}), "this rank's memory");
  EXPECT_DEATH(inside({.from = 0, .to = ~0ull, .bytes = 2}), "the peer's memory");
}

}  // namespace
}  // namespace ferry
