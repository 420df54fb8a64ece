#include "core/kv/reshard_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <random>

#include "core/base/error.h"

namespace ferry {
namespace {

std::vector<Shard> group(int n_layers, int n_kv_heads, int heads_per_kv, int tp) {
  const TpShape shape = {.n_heads = n_kv_heads * heads_per_kv,
                         .n_kv_heads = n_kv_heads,
                         .ffn_width = 4096,
                         .ffn_unit = 1,
                         .n_vocab = 4096};
  return shards_of(tp_slices(shape, tp), n_layers);
}

// Cuts a grid into random bands of layers, each held by a TP group of its own: pipeline stages of unequal TP.
std::vector<Shard> random_stages(int n_layers, int n_kv_heads, std::mt19937& random) {
  std::vector<Shard> shards;
  for (int begin = 0; begin < n_layers;) {
    const int end = std::min<int>(n_layers, begin + 1 + random() % n_layers);
    const int tp = 1 + random() % (2 * n_kv_heads);
    for (Shard s : group(n_layers, n_kv_heads, 2, tp)) shards.push_back({{begin, end}, s.heads});
    begin = end;
  }
  return shards;
}

void expect_every_cell_once(const std::vector<Shard>& source, const std::vector<Shard>& destination) {
  const ReshardPlan plan(source, destination);
  std::map<std::tuple<int, int, int>, int> received;  // destination rank, layer, head
  for (const Transfer& t : plan.transfers()) {
    for (int layer = t.part.layers.begin; layer < t.part.layers.end; ++layer) {
      for (int head = t.part.heads.begin; head < t.part.heads.end; ++head) {
        EXPECT_TRUE(source[t.source].layers.contains(layer) && source[t.source].heads.contains(head));
        ++received[{t.destination, layer, head}];
      }
    }
  }
  size_t needed = 0;
  for (int rank = 0; rank < static_cast<int>(destination.size()); ++rank) {
    const Shard& shard = destination[rank];
    needed += shard.layers.size() * shard.heads.size();
    for (int layer = shard.layers.begin; layer < shard.layers.end; ++layer) {
      for (int head = shard.heads.begin; head < shard.heads.end; ++head) EXPECT_EQ((received[{rank, layer, head}]), 1);
    }
  }
  EXPECT_EQ(received.size(), needed);
}

TEST(ReshardPlan, SendsEveryCellOnceBetweenAnyTwoDegrees) {
  for (int n_kv_heads : {1, 2, 3, 4, 8}) {
    for (int from = 1; from <= 2 * n_kv_heads; ++from) {
      for (int to = 1; to <= 2 * n_kv_heads; ++to) {
        expect_every_cell_once(group(5, n_kv_heads, 2, from), group(5, n_kv_heads, 2, to));
      }
    }
  }
}

TEST(ReshardPlan, SendsEveryCellOnceWhenLayersAreSplitDifferently) {
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const int n_layers = 1 + random() % 9, n_kv_heads = 1 + random() % 5;
    expect_every_cell_once(random_stages(n_layers, n_kv_heads, random), random_stages(n_layers, n_kv_heads, random));
  }
}

TEST(ReshardPlan, EqualGroupsSendOneRectangleEach) {
  const auto shards = group(30, 3, 3, 3);
  const ReshardPlan plan(shards, shards);
  ASSERT_EQ(plan.transfers().size(), 3u);
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(plan.transfers()[rank], (Transfer{rank, rank, shards[rank]}));
}

TEST(ReshardPlan, SpreadsOverTheRanksThatShareAHead) {
  const auto source = group(30, 2, 4, 8), destination = group(30, 2, 4, 8);  // each head on four ranks
  const ReshardPlan plan(source, destination);
  for (int rank = 0; rank < 8; ++rank) EXPECT_EQ(plan.cells_sent_by(rank), 30);
  EXPECT_EQ(ReshardPlan(group(30, 3, 3, 4), group(30, 3, 3, 1)).cells_sent_by(plan.longest_sender()), 30);
}

TEST(ReshardPlan, ACellThatNobodyHoldsIsAnError) {
  EXPECT_THROW(ReshardPlan(group(4, 3, 1, 3), group(5, 3, 1, 3)), Error);
}

// The whole path: memory of the source ranks, pieces, memory of the destination ranks. Each value names its place in
// the model's cache, so a misplaced byte is seen.
class Memory {
 public:
  Memory(const std::vector<Shard>& shards, int page_tokens, int n_pages) {
    for (const Shard& shard : shards) {
      layouts.emplace_back(shard, page_tokens, kHeadDim, KvDtype::f32, n_pages);
      bytes.emplace_back(layouts.back().bytes() / 4, -1.0f);
    }
  }
  float& at(int rank, int page, int layer, int head, int value, int token) {
    const KvLayout& l = layouts[rank];
    return bytes[rank][(l.offset(page, layer, head) + value * l.v_bytes() + token * l.token_bytes()) / 4];
  }
  static constexpr int kHeadDim = 1;
  std::vector<KvLayout> layouts;
  std::vector<std::vector<float>> bytes;
};

float name_of(int layer, int head, int value, int token) { return ((layer * 10 + head) * 2 + value) * 1000 + token; }

std::vector<int> random_pages(int n, int n_pages, std::mt19937& random) {
  std::vector<int> pages(n_pages);
  std::iota(pages.begin(), pages.end(), 0);
  std::shuffle(pages.begin(), pages.end(), random);
  pages.resize(n);
  return pages;
}

TEST(Pieces, MovesExactlyTheTokensOfEachChunkIntoPlace) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const int n_layers = 1 + random() % 4, n_kv_heads = 1 + random() % 4, page_tokens = 1 + random() % 6;
    const int n_tokens = 1 + random() % 40, n_used = (n_tokens + page_tokens - 1) / page_tokens, n_pages = n_used + 3;
    const auto from = random_stages(n_layers, n_kv_heads, random), to = random_stages(n_layers, n_kv_heads, random);
    const auto from_pages = random_pages(n_used, n_pages, random), to_pages = random_pages(n_used, n_pages, random);
    Memory source(from, page_tokens, n_pages), destination(to, page_tokens, n_pages);
    for (size_t rank = 0; rank < from.size(); ++rank) {
      for (int layer = from[rank].layers.begin; layer < from[rank].layers.end; ++layer)
        for (int head = from[rank].heads.begin; head < from[rank].heads.end; ++head)
          for (int token = 0; token < n_used * page_tokens; ++token)
            for (int v : {0, 1})
              source.at(rank, from_pages[token / page_tokens], layer, head, v, token % page_tokens) =
                  name_of(layer, head, v, token);
    }
    const ReshardPlan plan(from, to);
    size_t n_bytes = 0, n_expected = 0;
    for (int begin = 0; begin < n_tokens;) {
      const int end = std::min<int>(n_tokens, begin + 1 + random() % 17);
      for (const Transfer& t : plan.transfers())
        for (int layer = t.part.layers.begin; layer < t.part.layers.end; ++layer) {
          for (const Piece& p : pieces_of(t, {source.layouts[t.source], from_pages},
                                          {destination.layouts[t.destination], to_pages}, layer, {begin, end})) {
            std::memcpy(destination.bytes[t.destination].data() + p.to / 4, source.bytes[t.source].data() + p.from / 4,
                        p.bytes);
            n_bytes += p.bytes;
          }
        }
      begin = end;
    }
    for (size_t rank = 0; rank < to.size(); ++rank) {
      size_t written = 0;
      for (float x : destination.bytes[rank]) written += x >= 0;
      const size_t cells = to[rank].layers.size() * to[rank].heads.size();
      EXPECT_EQ(written, cells * 2 * n_tokens) << "nothing is written beside the tokens";
      n_expected += cells * 2 * n_tokens * 4;
      for (int layer = to[rank].layers.begin; layer < to[rank].layers.end; ++layer)
        for (int head = to[rank].heads.begin; head < to[rank].heads.end; ++head)
          for (int token = 0; token < n_tokens; ++token)
            for (int v : {0, 1})
              ASSERT_EQ(destination.at(rank, to_pages[token / page_tokens], layer, head, v, token % page_tokens),
                        name_of(layer, head, v, token));
    }
    EXPECT_EQ(n_bytes, n_expected) << "no byte is sent twice";
  }
}

TEST(Pieces, NeighbouringPagesWithTheSameHeadsAreOneRun) {
  const Shard shard = {.layers = {0, 3}, .heads = {0, 2}};
  const KvLayout layout(shard, 4, 8, KvDtype::f32, 10);
  const std::vector<int> from = {2, 3, 4}, to = {5, 6, 7};
  const std::vector<Piece> pieces = pieces_of({.part = shard}, {layout, from}, {layout, to}, 1, {0, 12});
  ASSERT_EQ(pieces.size(), 3u);
  for (size_t i = 1; i < pieces.size(); ++i) {
    EXPECT_EQ(pieces[i].from, pieces[i - 1].from + pieces[i - 1].bytes);
    EXPECT_EQ(pieces[i].to, pieces[i - 1].to + pieces[i - 1].bytes);
  }
}

}  // namespace
}  // namespace ferry
