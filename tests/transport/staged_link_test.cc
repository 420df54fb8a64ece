// KV of devices by way of slots when things go wrong: copies that take long, slots that run out, peers that go, peers
// that lie. What goes right is in kv_link_contract_test.cc.

#include "transport/staged/staged_link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <random>

#include "core/base/error.h"
#include "tests/support/far_device.h"
#include "tests/transport/link_testing.h"
#include "transport/memory_link.h"
#include "transport/staged/staged_address.h"
#include "transport/staged/staged_frame.h"

namespace ferry {
namespace {

constexpr unsigned kSeed = 77;
constexpr size_t kBytes = 1 << 20, kSlotBytes = 64 << 10;
constexpr int kSlots = 4;  // each way

class StagedLinkUnderStress : public testing::Test {
 protected:
  Observed far(int n_slots = kSlots) {
    FarDevice& device = devices.emplace_back(kSeed + devices.size());
    const Staging staging = {.device = device, .memory = device.allocate_far(kBytes), .slot_bytes = kSlotBytes};
    return {make_staged_link(fabric.make_link(2 * n_slots * kSlotBytes), staging)};
  }
  Observed host() { return {make_staged_link(fabric.make_link(kBytes))}; }
  std::span<std::byte> now(const Observed& link, const FarDevice& device) const { return device.now(link->memory()); }

  // What a link says that speaks frames as it likes.
  void say(const Observed& raw, PeerId to, const StagedFrame& frame) { raw->send(to, packed(frame)); }
  static StagedAddress address_of(const Observed& link) { return staged_address_of(link.address()); }
  static std::vector<StagedFrame> frames_of(const Observed& raw) {
    std::vector<StagedFrame> frames;
    for (const std::string& bytes : raw.received) {
      if (auto frame = staged_frame_of(bytes)) frames.push_back(*std::move(frame));
    }
    return frames;
  }
  void poll_often(std::initializer_list<Observed*> links) {
    for (int i = 0; i < 2000; ++i) {
      for (Observed* link : links) link->poll();
    }
  }

  MemoryFabric fabric;
  std::deque<FarDevice> devices;
};

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

TEST_F(StagedLinkUnderStress, FencedIsToldWhenNoCopyWritesAnyMore) {
  Observed a = host(), b = far();
  FarDevice& device = devices[0];
  const PeerId to_b = a.connect(b);
  b.connect(a);
  std::fill(a->memory().begin(), a->memory().end(), std::byte{7});
  device.stop_copies();
  a.put(to_b, {.from = 0, .to = 0, .bytes = kBytes});
  a->flush(to_b, 1);
  ASSERT_TRUE(until([&] { return device.n_copies() > 0; }, {&a, &b}));
  b->close(b.channel);
  ASSERT_TRUE(until([&] { return !b.closed.empty(); }, {&a, &b}));
  poll_often({&a, &b});
  EXPECT_TRUE(b.fenced.empty()) << "a copy is on its way";
  EXPECT_TRUE(a.flushed.empty()) << "nothing has landed";
  device.go_on();
  ASSERT_TRUE(until([&] { return !b.fenced.empty() && !a.broken.empty(); }, {&a, &b}));
  const auto before = copy_of(now(b, device));
  poll_often({&a, &b});
  EXPECT_EQ(copy_of(now(b, device)), before);
}

TEST_F(StagedLinkUnderStress, ClosedIsToldWhenNoCopyReadsAnyMore) {
  Observed a = far(), b = host();
  FarDevice& device = devices[0];
  const PeerId to_b = a.connect(b);
  b.connect(a);
  device.stop_copies();
  a.put(to_b, {.from = 0, .to = 0, .bytes = kBytes});
  ASSERT_GT((poll_often({&a, &b}), device.n_copies()), 0);
  a->close(a.channel);
  poll_often({&a, &b});
  EXPECT_TRUE(a.closed.empty()) << "a copy is on its way";
  device.go_on();
  ASSERT_TRUE(until([&] { return !a.fenced.empty(); }, {&a, &b}));
  EXPECT_EQ(a.closed, std::vector<ChannelId>{a.channel});
}

TEST_F(StagedLinkUnderStress, NothingIsFlushedBeforeItsCopyIsDone) {
  Observed a = far(), b = far();
  const PeerId to_b = a.connect(b);
  b.connect(a);
  devices[1].stop_copies();
  now(a, devices[0])[5] = std::byte{9};
  a.put(to_b, {.from = 5, .to = 6, .bytes = 1});
  a->flush(to_b, 1);
  ASSERT_TRUE(until([&] { return devices[1].n_copies() == 1; }, {&a, &b}));
  poll_often({&a, &b});
  EXPECT_TRUE(a.flushed.empty());
  EXPECT_EQ(now(b, devices[1])[6], std::byte{0});
  devices[1].go_on();
  ASSERT_TRUE(until([&] { return !a.flushed.empty(); }, {&a, &b}));
  EXPECT_EQ(now(b, devices[1])[6], std::byte{9});
}

// Seven times as many bytes as slots, from each of five.
TEST_F(StagedLinkUnderStress, ManySendersShareFewSlots) {
  Observed b = far();
  std::vector<Observed> senders;
  std::vector<PeerId> to_b;
  for (int i = 0; i < 5; ++i) {
    senders.push_back(i % 2 == 0 ? host() : far(1));
    to_b.push_back(senders.back().connect(b));
  }
  const size_t part = kBytes / 5;
  for (size_t i = 0; i < 5; ++i) {
    for (int again = 0; again < 9; ++again) senders[i].put(to_b[i], {.from = 0, .to = i * part, .bytes = part});
    senders[i]->flush(to_b[i], i);
  }
  const auto done = [&] {
    for (Observed& sender : senders) sender.poll();
    return std::all_of(senders.begin(), senders.end(), [](const Observed& s) { return s.flushed.size() == 1; });
  };
  EXPECT_TRUE(until(done, {&b}));
}

TEST_F(StagedLinkUnderStress, AGroupThatStandsStillLeavesSlotsForOthers) {
  Observed b = far(), stopped = host(), other = host();
  const ChannelId second = b->open();
  const PeerId stopped_to_b = stopped.connect(b), other_to_b = other.connect(b->address(second));
  stopped.put(stopped_to_b, {.from = 0, .to = 0, .bytes = kBytes});
  for (int i = 0; i < 50; ++i) b.poll();  // grants, and the other is not polled any more
  other.put(other_to_b, {.from = 0, .to = 0, .bytes = kBytes});
  other->flush(other_to_b, 1);
  EXPECT_TRUE(until([&] { return !other.flushed.empty(); }, {&b, &other}));
}

TEST_F(StagedLinkUnderStress, SlotsOfAPeerThatDiesComeBackWhenItsChannelIsFenced) {
  Observed b = far();
  for (int round = 0; round < 8; ++round) {
    Observed a = round % 2 == 0 ? host() : far();
    const ChannelId channel = b->open();
    const PeerId to_b = a.connect(b->address(channel));
    b->connect(channel, a.address());
    a.put(to_b, {.from = 0, .to = 0, .bytes = kBytes});
    a->flush(to_b, 1);
    for (int i = 0; i < 20 * round; ++i) a.poll(), b.poll();
    fabric.kill(address_of(a).below);
    if (a.flushed.empty()) {
      ASSERT_TRUE(until([&] { return !a.broken.empty(); }, {&a})) << round;
    }
    ASSERT_TRUE(until([&] { return !b.broken.empty(); }, {&b})) << round;
    b->close(channel);
    ASSERT_TRUE(until([&] { return b.fenced.size() == static_cast<size_t>(round) + 1; }, {&b}));
    b.broken.clear();
  }
  Observed last = host();
  const PeerId to_b = last.connect(b);
  last.put(to_b, {.from = 0, .to = 0, .bytes = kBytes});
  last->flush(to_b, 1);
  EXPECT_TRUE(until([&] { return !last.flushed.empty(); }, {&b, &last}));
}

TEST_F(StagedLinkUnderStress, ForgedFramesAreRefusedAndWriteNothing) {
  Observed b = far(), liar{fabric.make_link(kBytes)};
  const PeerId to_b = liar.connect(address_of(b).below);
  const auto expected = copy_of(now(b, devices[0]));
  const auto filled = [](int slot, std::vector<SlotFilled::Place> places) {
    return SlotFilled{.lane = 5, .fill = 1, .slot = slot, .places = std::move(places)};
  };
  say(liar, to_b, filled(0, {{0, 8}}));  // no hello was said
  say(liar, to_b, SlotWant{.lane = 5, .n = 1});
  say(liar, to_b, SlotHello{.from = "nowhere", .lane = 4, .peer = 0, .n_wanted = 1});
  say(liar, to_b, SlotHello{.from = liar.address(), .lane = 4, .peer = 0, .n_wanted = -1});
  say(liar, to_b, SlotHello{.from = liar.address(), .lane = 5, .peer = 0, .n_wanted = 1});
  ASSERT_TRUE(until([&] { return frames_of(liar).size() == 2; }, {&b, &liar}));
  const std::vector<int> granted = std::get<SlotGrant>(frames_of(liar)[1]).slots;
  ASSERT_EQ(granted.size(), 1u);
  const int mine = granted[0], not_mine = (mine + 1) % kSlots;
  say(liar, to_b, SlotHello{.from = liar.address(), .lane = 5, .peer = 0, .n_wanted = 1});  // again
  say(liar, to_b, SlotWant{.lane = 5, .n = 1 << 30});
  for (const int slot : {not_mine, -1, kSlots, 1 << 30}) say(liar, to_b, filled(slot, {{0, 8}}));
  for (const SlotFilled::Place place : {SlotFilled::Place{kBytes, 1},
                                        {kBytes - 1, 2},
                                        {UINT64_MAX, 2},
                                        {0, UINT64_MAX},
                                        {UINT64_MAX - 7, 8},
                                        {0, kSlotBytes + 1}})
    say(liar, to_b, filled(mine, {{0, 8}, place}));
  say(liar, to_b, filled(mine, std::vector<SlotFilled::Place>(kMostPlaces + 1, {0, 1})));
  say(liar, to_b, SlotGrant{.peer = 0, .slots = {0}});  // b has asked for none
  say(liar, to_b, SlotLanded{.peer = 0, .fills = {0}});
  ASSERT_TRUE(until([&] { return b->counters().messages_refused == 4 + 2 + 4 + 6 + 1 + 2; }, {&b, &liar}))
      << b->counters().messages_refused;
  poll_often({&b, &liar});
  EXPECT_EQ(copy_of(now(b, devices[0])), expected);
  EXPECT_TRUE(b.received.empty());
  say(liar, to_b, filled(mine, {{0, 8}}));  // as it should be; but not twice
  say(liar, to_b, filled(mine, {{8, 8}}));
  ASSERT_TRUE(until([&] { return b->counters().messages_refused == 20; }, {&b, &liar}));
  ASSERT_TRUE(until([&] { return frames_of(liar).size() == 3; }, {&b, &liar}));
  EXPECT_EQ(std::get<SlotLanded>(frames_of(liar)[2]).fills, std::vector<uint64_t>{1});
}

TEST_F(StagedLinkUnderStress, AReceiverThatLiesHurtsOnlyItself) {
  Observed a = host(), liar{fabric.make_link(kBytes)};
  const StagedAddress claimed = {.below = liar.address(), .memory_bytes = kBytes, .n_slots = 2, .slot_bytes = 4096};
  const PeerId to_liar = a.connect(packed(claimed)), to_a = liar.connect(address_of(a).below);
  a.put(to_liar, {.from = 0, .to = 0, .bytes = 8192});
  ASSERT_TRUE(until([&] { return frames_of(liar).size() == 1; }, {&a, &liar}));
  const PeerId peer = std::get<SlotHello>(frames_of(liar)[0]).peer;
  say(liar, to_a, SlotGrant{.peer = peer, .slots = {2}});
  say(liar, to_a, SlotGrant{.peer = peer, .slots = {-1}});
  say(liar, to_a, SlotGrant{.peer = peer + 1, .slots = {0}});
  say(liar, to_a, SlotLanded{.peer = peer, .fills = {0}});       // of nothing that was told
  say(liar, to_a, SlotGrant{.peer = peer, .slots = {0, 0, 0}});  // two were wanted
  EXPECT_TRUE(until([&] { return a->counters().messages_refused == 5; }, {&a, &liar}));
}

TEST_F(StagedLinkUnderStress, AnAddressWithMoreSlotsThanMemoryIsAnError) {
  Observed a = host(), b{fabric.make_link(4096)};
  for (const auto& [n_slots, slot_bytes] : {std::pair<int, uint64_t>{2, 4096}, {-1, 4096}, {1, UINT64_MAX}, {1, 0}}) {
    const StagedAddress claimed = {
        .below = b.address(), .memory_bytes = kBytes, .n_slots = n_slots, .slot_bytes = slot_bytes};
    EXPECT_THROW(a.connect(packed(claimed)), Error) << n_slots << " of " << slot_bytes;
  }
}

TEST_F(StagedLinkUnderStress, FramesOfAnyContentHurtNobody) {
  std::mt19937 random(kSeed);
  Observed b = far(), liar{fabric.make_link(kBytes)};
  const PeerId to_b = liar.connect(address_of(b).below);
  say(liar, to_b, SlotHello{.from = liar.address(), .lane = 1, .peer = 0, .n_wanted = 2});
  const auto number = [&]() -> uint64_t { return random() % 3 == 0 ? random() * (uint64_t{1} << 33) : random() % 4; };
  for (int i = 0; i < 3000; ++i) {
    switch (random() % 4) {
      case 0:
        say(liar, to_b, SlotWant{.lane = number(), .n = static_cast<int>(number())});
        break;
      case 1:
        say(liar, to_b, SlotGrant{.peer = static_cast<int>(number()), .slots = {static_cast<int>(number())}});
        break;
      case 2:
        say(liar, to_b, SlotLanded{.peer = static_cast<int>(number()), .fills = {number()}});
        break;
      default:
        say(liar, to_b,
            SlotFilled{.lane = number(),
                       .fill = number(),
                       .slot = static_cast<int>(number()),
                       .places = {{number(), number()}, {number(), number()}}});
    }
    b.poll();
  }
  poll_often({&b, &liar});
  EXPECT_GT(b->counters().messages_refused, 1000u) << "seed " << kSeed;
}

TEST(StagedFrames, AreToldFromMessages) {
  const std::vector<StagedFrame> frames = {SlotHello{.from = "x", .lane = 1, .peer = 2, .n_wanted = 3},
                                           SlotWant{.lane = 1, .n = 2}, SlotGrant{.peer = 1, .slots = {2, 3}},
                                           SlotFilled{.lane = 1, .fill = 2, .slot = 3, .places = {{4, 5}}},
                                           SlotLanded{.peer = 1, .fills = {2}}};
  for (const StagedFrame& frame : frames) {
    const std::string bytes = packed(frame);
    EXPECT_EQ(staged_frame_of(bytes), frame);
    EXPECT_FALSE(staged_frame_of(bytes + "x"));
    EXPECT_FALSE(staged_frame_of(bytes.substr(1)));
  }
  EXPECT_FALSE(staged_frame_of(""));
  EXPECT_FALSE(staged_frame_of(std::string(kMaxFrame + 1, 'x')));
}

TEST(StagedSlots, SuitTheirMemory) {
  EXPECT_EQ(slot_bytes_for(size_t{64} << 20), size_t{1} << 20);
  EXPECT_EQ(slot_bytes_for(size_t{1} << 20), size_t{64} << 10);
  EXPECT_THROW(slot_bytes_for(100000), Error);
}

}  // namespace
}  // namespace ferry
