#include "core/handoff/peers.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

std::vector<KvLayout> layouts(std::vector<Range> heads) {
  std::vector<KvLayout> all;
  for (const Range h : heads) all.emplace_back(Shard{.layers = {0, 2}, .heads = h}, 16, 8, KvDtype::f32, 4);
  return all;
}

wire::GroupInfo prefill_of_two(uint64_t epoch = 1) {
  return {.key = {"p", epoch}, .layouts = layouts({{0, 2}, {2, 3}})};
}

TEST(Peers, APairIsReadyWhenEverySourceHasGreetedAndEveryRankOfOursReachesItsOwn) {
  Peers peers(layouts({{0, 3}}));
  Peer& peer = peers.add(7, prefill_of_two(), false);
  peer.connecting = true;
  EXPECT_EQ(peer.sources, (std::set{0, 1}));
  peer.silent.erase(0);
  peer.not_measured.erase(0);
  EXPECT_FALSE(peer.ready());
  peer.silent.erase(1);
  EXPECT_TRUE(peer.ready());
}

TEST(Peers, RanksThatSendNothingNeedNotGreet) {
  Peers peers(layouts({{0, 1}}));  // only the first rank holds what we need
  EXPECT_EQ(peers.add(7, prefill_of_two(), false).silent, std::set{0});
}

TEST(Peers, APairIsFoundByItsNumberAndItsGroup) {
  Peers peers(layouts({{0, 3}}));
  const GroupId id = peers.add(7, prefill_of_two(2), false).id;
  EXPECT_EQ(peers.find(wire::Pairing{7})->id, id);
  EXPECT_FALSE(peers.find(wire::Pairing{8}));
  EXPECT_EQ(peers.find(wire::GroupKey{"p", 2}, false)->id, id);
  EXPECT_FALSE(peers.find(wire::GroupKey{"p", 1}, false)) << "an earlier start of the group is another";
  EXPECT_FALSE(peers.find(wire::GroupKey{"p", 2}, true)) << "the other direction is another pair";
}

TEST(Peers, AGroupThatLeftIsGoneWhenEveryRankOfOursSaysSo) {
  Peers peers(layouts({{0, 2}, {2, 3}}));
  const GroupId id = peers.add(7, prefill_of_two(), false).id;
  peers.remove(id);
  EXPECT_TRUE(peers.some_not_closed());
  EXPECT_FALSE(peers.closed(id, 1));
  EXPECT_FALSE(peers.closed(id, 1)) << "the same rank again";
  EXPECT_TRUE(peers.closed(id, 0));
  EXPECT_FALSE(peers.some_not_closed());
  EXPECT_TRUE(peers.some_not_fenced());
  EXPECT_FALSE(peers.fenced(id, 0));
  EXPECT_TRUE(peers.fenced(id, 1));
  EXPECT_FALSE(peers.some_not_fenced());
}

}  // namespace
}  // namespace ferry
