#include "transport/memory_link.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/transport/link_testing.h"

namespace ferry {
namespace {

TEST(MemoryLink, AMessageOvertakesPutsThatWereNotFlushed) {
  MemoryFabric fabric;
  Observed a{fabric.make_link(8)}, b{fabric.make_link(8)};
  const PeerId to_b = a.connect(b);
  a->memory()[0] = std::byte{7};
  a.put(to_b, {.from = 0, .to = 0, .bytes = 1});
  a->send(to_b, "done?");
  b.poll();
  EXPECT_EQ(b.received, std::vector<std::string>{"done?"});
  EXPECT_EQ(b->memory()[0], std::byte{0});
  a.poll();
  EXPECT_EQ(b->memory()[0], std::byte{7});
}

TEST(MemoryLink, AKilledMemberIsBrokenToItsPeersOnce) {
  MemoryFabric fabric;
  Observed a{fabric.make_link(8)};
  const Observed b{fabric.make_link(8)}, c{fabric.make_link(8)};
  const PeerId to_b = a.connect(b), to_c = a.connect(c);
  const auto post_to_b = [&] {
    a.put(to_b, {.from = 0, .to = 0, .bytes = 8});
    a->flush(to_b, 1);
    a->send(to_b, "hello?");
  };
  post_to_b();
  a->flush(to_c, 2);
  fabric.kill(b.address());
  while (a.poll()) {
  }
  post_to_b();  // until its channel is closed, posting is allowed and does nothing
  while (a.poll()) {
  }
  ASSERT_EQ(a.broken.size(), 1u);
  EXPECT_EQ(a.broken[0].peer, to_b);
  ASSERT_EQ(a.flushed.size(), 1u);
  EXPECT_EQ(a.flushed[0].peer, to_c);
}

TEST(MemoryLink, ACutIsBrokenToBothSidesAndToNobodyElse) {
  MemoryFabric fabric;
  Observed a{fabric.make_link(8)}, b{fabric.make_link(8)}, c{fabric.make_link(8)};
  a.connect(b);
  b.connect(a);
  c.connect(a);
  fabric.cut(b.address(), a.address());
  for (Observed* link : {&a, &b, &c}) link->poll();
  EXPECT_EQ(a.broken.size(), 1u);
  EXPECT_EQ(b.broken.size(), 1u);
  EXPECT_TRUE(c.broken.empty());
}

TEST(MemoryLink, ALinkThatIsGoneIsBrokenToItsPeers) {
  MemoryFabric fabric;
  Observed a{fabric.make_link(8)}, b{fabric.make_link(8)};
  a.connect(b);
  b.link.reset();
  a.poll();
  EXPECT_EQ(a.broken.size(), 1u);
}

// Two players write the number of the hit into each other's memory, in turn.
void rally(Observed& mine, PeerId peer, int first) {
  constexpr int kHits = 2000;
  auto* value = reinterpret_cast<int*>(mine->memory().data());  // [out, in]
  for (int hit = 0; hit < kHits; ++hit) {
    if (hit % 2 == first) {
      value[0] = hit;
      mine.put(peer, {.from = 0, .to = sizeof(int), .bytes = sizeof(int)});
      mine->flush(peer, 0);
      ASSERT_TRUE(until([&] { return !mine.flushed.empty(); }, {&mine}));
      mine.flushed.clear();
      mine->send(peer, "yours");
    } else {
      ASSERT_TRUE(until([&] { return !mine.received.empty(); }, {&mine}));
      mine.received.clear();
      ASSERT_EQ(value[1], hit);
    }
  }
}

TEST(MemoryLink, RanksMayBeThreads) {
  MemoryFabric fabric;
  Observed a{fabric.make_link(2 * sizeof(int))}, b{fabric.make_link(2 * sizeof(int))};
  const PeerId to_b = a.connect(b), to_a = b.connect(a);
  std::thread other([&] { rally(b, to_a, 1); });
  rally(a, to_b, 0);
  other.join();
}

}  // namespace
}  // namespace ferry
