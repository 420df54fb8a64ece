#include "launch/doctor/outline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/tiny_model.h"

namespace ferry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// 2 layers, 4 heads, 2 KV heads of 16 values: a token's key and value take 128 bytes in f32, in each layer and KV head.
class Outline : public testing::Test {
 protected:
  ClusterOutline of(const std::string& groups, const std::string& rest = "") const {
    return outline_of(parse_cluster(rest +
                                        "model: m\nkv: {memory: 64KiB, page_tokens: 16}\n"
                                        "scheduling: {max_sequences: 4}\ngroups:\n" +
                                        groups,
                                    "c.yaml"),
                      model_);
  }

 private:
  const std::vector<std::byte> bytes_ = gguf_bytes(tiny_model());
  const ModelFile model_{GgufFile("tiny", bytes_)};
};

TEST_F(Outline, RanksHaveTheirHeadsLayersAndMemory) {
  const GroupOutline g = of("- {name: a, role: mixed, tp: 2, hosts: [n1, n2]}").groups.at(0);
  EXPECT_EQ(g.hosts, "n1 n2");
  ASSERT_EQ(g.ranks.size(), 2u);
  EXPECT_EQ(g.ranks[0].shard, (Shard{.layers = {0, 2}, .heads = {0, 1}}));
  EXPECT_EQ(g.ranks[1].shard, (Shard{.layers = {0, 2}, .heads = {1, 2}}));
  EXPECT_EQ(g.ranks[1].slice.q_heads, (Range{2, 4}));
  EXPECT_EQ(g.n_pages, 16) << "of 16 tokens × 2 layers × 128 bytes";
  EXPECT_EQ(g.n_tokens, 256);
  EXPECT_EQ(g.tokens_each, 64);
  EXPECT_EQ(g.ranks[0].kv_bytes, 64u << 10);
}

TEST_F(Outline, TheWeightsOfAllRanksAreThoseOfOne) {
  const size_t whole = of("- {name: a, role: mixed}").groups.at(0).ranks.at(0).weight_bytes;
  EXPECT_GT(whole, 0u);
  const GroupOutline two = of("- {name: a, role: mixed, tp: 2}").groups.at(0);
  size_t sum = 0;
  for (const RankOutline& rank : two.ranks) sum += rank.weight_bytes;
  EXPECT_EQ(sum, whole);
}

TEST_F(Outline, WeightsThatCardsMakeBf16AreTwoBytesAValue) {
  const auto weight_bytes = [&](const std::string& rest, size_t group = 1) {
    const std::string groups = "- {name: a, role: prefill}\n- {name: b, role: decode}\n- {name: c, role: mixed}";
    return of(groups, rest).groups.at(group).ranks.at(0).weight_bytes;
  };
  EXPECT_EQ(2 * weight_bytes("compute: cuda\ncuda: {weights: bf16}\n"), weight_bytes("")) << "the file has f32";
  EXPECT_EQ(weight_bytes("compute: cpu\ncuda: {weights: bf16}\n"), weight_bytes(""));
  const std::string in_prefill = "compute: cuda\ncuda: {weights: bf16_in_prefill}\n";
  EXPECT_EQ(2 * weight_bytes(in_prefill, 0), weight_bytes(""));
  EXPECT_EQ(weight_bytes(in_prefill, 1), weight_bytes(""));
  EXPECT_EQ(weight_bytes(in_prefill, 2), weight_bytes(""));
}

TEST_F(Outline, WhereHeadsDoNotDivideTheFullestRankSaysHowManyPagesThereAre) {
  const GroupOutline one = of("- {name: a, role: mixed}").groups.at(0);
  EXPECT_EQ(one.n_pages, 8) << "both KV heads on one rank";
}

TEST_F(Outline, APathIsEveryPairThatHandsOver) {
  const ClusterOutline outline =
      of("- {name: p, role: prefill, tp: 2}\n- {name: d, role: decode}\n- {name: e, role: decode, tp: 2}\n"
         "- {name: m, role: mixed}");
  std::vector<std::string> paths;
  for (const PathOutline& path : outline.paths) paths.push_back(path.prefill + path.decode);
  EXPECT_THAT(paths, ElementsAre("pd", "pe", "pm", "md", "me"));
  for (const PathOutline& path : outline.paths) {
    EXPECT_EQ(path.token_bytes, 2u * 2 * 128) << "the KV of a token, however it is cut";
  }
  EXPECT_EQ(outline.paths[0].n_pieces, 2);
  EXPECT_EQ(outline.paths[0].longest_bytes, 256u) << "one of two ranks";
  EXPECT_EQ(outline.paths[3].n_pieces, 1);
  EXPECT_EQ(outline.paths[3].longest_bytes, 512u);
}

TEST_F(Outline, AGroupThatCannotBeCutSoIsLeftOut) {
  EXPECT_EQ(of("- {name: a, role: mixed, tp: 500}\n- {name: b, role: mixed}").groups.size(), 1u);
}

TEST_F(Outline, PeopleGetTablesAndProgramsTheSame) {
  const ClusterOutline outline = of("- {name: p, role: prefill, tp: 2}\n- {name: d, role: decode}");
  std::ostringstream out;
  print_outline(outline, out, Colours::off);
  EXPECT_THAT(out.str(), HasSubstr("p → d"));
  EXPECT_THAT(out.str(), HasSubstr("rank 0: 250KiB"));
  EXPECT_THAT(out.str(), testing::Not(HasSubstr("\x1b"))) << "no colours in a pipe";
  const auto json = json_of(outline);
  EXPECT_EQ(json["groups"][0]["ranks"][1]["kv_heads"], nlohmann::json::array({1, 2}));
  EXPECT_EQ(json["paths"][0]["bytes_per_token"], 512);
}

}  // namespace
}  // namespace ferry
