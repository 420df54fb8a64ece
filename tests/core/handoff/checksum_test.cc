#include "core/handoff/checksum.h"

#include <gtest/gtest.h>

#include <random>

namespace ferry {
namespace {

constexpr int kPages = 24, kPageTokens = 4;

// The same KV in two memories, in other pages.
class Checksums : public testing::Test {
 protected:
  Checksums() {
    std::mt19937 random(7);
    for (int i = 0; i < kPages; ++i) here_pages.push_back(i), there_pages.push_back((i * 5 + 3) % kPages);
    for (int token = 0; token < kPages * kPageTokens; ++token)
      for (int layer = 0; layer < 2; ++layer)
        for (int head = 0; head < 3; ++head)
          for (size_t byte = 0; byte < layout.token_bytes(); ++byte)
            for (const size_t side : {size_t{0}, layout.v_bytes()})
              at(here, here_pages, layer, head, token)[side + byte] =
                  at(there, there_pages, layer, head, token)[side + byte] = std::byte(random());
  }
  std::byte* at(std::vector<std::byte>& memory, const std::vector<int>& pages, int layer, int head, int token) const {
    return &memory[layout.offset(pages[token / kPageTokens], layer, head) + token % kPageTokens * layout.token_bytes()];
  }
  uint64_t sum_here(wire::Verify verify, int layer, Range tokens) const {
    return checksum(verify, {layout, here, here_pages}, {layer, {0, 3}, tokens});
  }
  uint64_t sum_there(wire::Verify verify, int layer, Range tokens) const {
    return checksum(verify, {layout, there, there_pages}, {layer, {0, 3}, tokens});
  }

  const KvLayout layout{{.layers = {0, 2}, .heads = {0, 3}}, kPageTokens, 8, KvDtype::f32, kPages};
  std::vector<std::byte> here{layout.bytes()}, there{layout.bytes()};
  std::vector<int> here_pages, there_pages;
};

TEST_F(Checksums, DoNotDependOnPagesOrChunks) {
  const uint64_t whole = sum_here(wire::Verify::all, 1, {3, 61});
  EXPECT_EQ(sum_there(wire::Verify::all, 1, {3, 61}), whole);
  EXPECT_EQ(sum_here(wire::Verify::all, 1, {3, 10}) + sum_here(wire::Verify::all, 1, {10, 61}), whole);
  const uint64_t sampled = sum_here(wire::Verify::sampled, 1, {3, 61});
  EXPECT_EQ(sum_there(wire::Verify::sampled, 1, {3, 61}), sampled);
  EXPECT_NE(sampled, whole);
  EXPECT_NE(sampled, 0u);
  EXPECT_EQ(sum_here(wire::Verify::off, 1, {3, 61}), 0u);
}

TEST_F(Checksums, AnyByteThatDiffersIsSeen) {
  std::mt19937 random(9);
  const uint64_t whole = sum_here(wire::Verify::all, 0, {0, 60});
  for (int i = 0; i < 100; ++i) {
    const int token = random() % 60, head = random() % 3;
    std::byte& byte =
        at(there, there_pages, 0, head, token)[random() % layout.token_bytes() + random() % 2 * layout.v_bytes()];
    byte ^= std::byte{1};
    EXPECT_NE(sum_there(wire::Verify::all, 0, {0, 60}), whole);
    byte ^= std::byte{1};
  }
}

TEST_F(Checksums, TokensThatChangedPlacesAreSeen) {
  const uint64_t whole = sum_here(wire::Verify::all, 0, {0, 60});
  std::swap_ranges(at(there, there_pages, 0, 1, 8), at(there, there_pages, 0, 1, 8) + layout.token_bytes(),
                   at(there, there_pages, 0, 1, 21));
  EXPECT_NE(sum_there(wire::Verify::all, 0, {0, 60}), whole);
}

TEST_F(Checksums, EveryPageIsSampledInSomeLayerOfADeepModel) {
  for (int page = 0; page < 40; ++page) {
    int n = 0;
    for (int layer = 0; layer < kSampledOneIn; ++layer) n += (page + layer) % kSampledOneIn == 0;
    EXPECT_EQ(n, 1);
  }
}

}  // namespace
}  // namespace ferry
