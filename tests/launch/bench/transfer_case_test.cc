#include "launch/bench/transfer_case.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace ferry {
namespace {

// Of all pieces, by where they go.
std::vector<Piece> sorted_pieces(const TransferCase& what) {
  std::vector<Piece> all;
  for (const auto& pieces : what.puts) all.insert(all.end(), pieces.begin(), pieces.end());
  std::sort(all.begin(), all.end(), [](const Piece& a, const Piece& b) { return a.to < b.to; });
  return all;
}

void expect_apart_and_inside(const TransferCase& what, size_t memory_bytes) {
  uint64_t end = 0;
  for (const Piece& piece : sorted_pieces(what)) {
    EXPECT_GE(piece.to, end) << what.name;
    EXPECT_LE(piece.from + piece.bytes, memory_bytes) << what.name;
    end = piece.to + piece.bytes;
  }
  EXPECT_LE(end, memory_bytes) << what.name;
}

TEST(TransferCase, ScatteredPiecesAreEverythingOnceInAnotherOrder) {
  constexpr size_t kPiece = 1000, kTotal = 64000;
  const TransferCase what = scattered_case(kPiece, kTotal);
  EXPECT_EQ(what.n_pieces(), 64u);
  EXPECT_EQ(what.piece_bytes(), kPiece);
  EXPECT_EQ(what.bytes(), kTotal);
  expect_apart_and_inside(what, kTotal);
  const std::vector<Piece> by_destination = sorted_pieces(what);
  EXPECT_NE(by_destination, what.puts.at(0));
  for (size_t i = 0; i < by_destination.size(); ++i) EXPECT_EQ(by_destination[i].to, i * kPiece);
}

TEST(TransferCase, HandoffsPutALayerAtATime) {
  constexpr size_t kMemory = 16 << 20;
  const std::vector<TransferCase> cases = kv_cases(kMemory);
  ASSERT_EQ(cases.size(), 6u);
  for (const TransferCase& what : cases) {
    EXPECT_EQ(what.puts.size(), 24u) << what.name;
    expect_apart_and_inside(what, kMemory);
  }
}

// A head of a page is 16 tokens × 64 values × 2 bytes, for keys and for values: 4 KiB.
TEST(TransferCase, TheRunsOfAHandoffAreTheHeadsThatTwoRanksHaveInCommon) {
  const std::vector<TransferCase> cases = kv_cases(16 << 20);
  const auto piece_bytes = [&](const std::string& name) {
    return std::find_if(cases.begin(), cases.end(), [&](const auto& c) { return c.name == name; })->piece_bytes();
  };
  EXPECT_EQ(piece_bytes("tp 2 to 1"), 6 * 4096u);
  EXPECT_EQ(piece_bytes("tp 3 to 2"), 4 * 4096u);
  EXPECT_EQ(piece_bytes("tp 4 to 4"), 3 * 4096u);
  EXPECT_EQ(piece_bytes("tp 2 to 1, fresh pages"), 6 * 4096u);
  EXPECT_GT(piece_bytes("tp 4 to 4, fresh pages"), 10 * 3 * 4096u);  // the same heads: the pages of a layer are one run
}

TEST(TransferCase, MemoryThatHoldsNoPageHasNoHandoffs) { EXPECT_TRUE(kv_cases(1 << 20).empty()); }

}  // namespace
}  // namespace ferry
