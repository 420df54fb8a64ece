#include "core/handoff/peers.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

std::vector<KvLayout> layouts(std::vector<Range> heads) {
  std::vector<KvLayout> all;
  for (const Range h : heads) all.emplace_back(Shard{.layers = {0, 2}, .heads = h}, 16, 8, KvDtype::f32);
  return all;
}

wire::GroupInfo prefill_of_two(uint64_t epoch = 1) {
  return {.key = {"p", epoch}, .layouts = layouts({{0, 2}, {2, 3}})};
}

wire::PairHello hello(int rank, uint64_t epoch = 1) {
  return {.prefill = {"p", epoch}, .rank = rank, .transport = "shm"};
}

TEST(Peers, APairIsReadyWhenEverySourceHasGreeted) {
  Peers peers(layouts({{0, 3}}));
  ASSERT_TRUE(peers.add(prefill_of_two(), false));
  EXPECT_FALSE(peers.greeted(hello(1)));
  EXPECT_FALSE(peers.greeted(hello(1))) << "the same rank again";
  const Peer* peer = peers.greeted(hello(0));
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->transport(), "shm");
  EXPECT_FALSE(peers.greeted(hello(0))) << "it is ready once";
}

TEST(Peers, GreetingsThatComeBeforeTheIntroductionCount) {
  Peers peers(layouts({{0, 3}}));
  EXPECT_FALSE(peers.greeted(hello(0)));
  EXPECT_FALSE(peers.greeted(hello(1)));
  const Peer* peer = peers.add(prefill_of_two(), false);
  ASSERT_TRUE(peer);
  EXPECT_TRUE(peer->paired());
}

TEST(Peers, AnEarlierStartOfTheGroupIsAnother) {
  Peers peers(layouts({{0, 3}}));
  EXPECT_FALSE(peers.greeted(hello(0, 1)));
  const Peer* peer = peers.add(prefill_of_two(2), false);
  ASSERT_TRUE(peer);
  EXPECT_FALSE(peers.greeted(hello(1, 2)));
  EXPECT_FALSE(peer->paired());
  EXPECT_TRUE(peers.greeted(hello(0, 2)));
}

TEST(Peers, RanksThatSendNothingNeedNotGreet) {
  Peers peers(layouts({{0, 1}}));  // only the first rank holds what we need
  ASSERT_TRUE(peers.add(prefill_of_two(), false));
  EXPECT_TRUE(peers.greeted(hello(0)));
}

}  // namespace
}  // namespace ferry
