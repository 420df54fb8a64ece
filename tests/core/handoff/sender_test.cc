#include "core/handoff/sender.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

constexpr GroupId kDecode = 3;
const Instant kNow{};
const Instant kDeadline = kNow + std::chrono::seconds(1);

wire::TicketName ticket(RequestId id, uint32_t serial = 1) {
  return {.attempt = {.router = 1, .request = id, .attempt = 1}, .serial = serial, .key = 99};
}

class SenderTest : public testing::Test {
 protected:
  void seal(const wire::TicketName& name) { sender.sealed(name, kDecode, *pages.lease(2), kDeadline); }
  PageAllocator pages{8};
  Sender sender{2};
};

TEST_F(SenderTest, PagesGoBackWhenNoRankReadsThem) {
  seal(ticket(1));
  sender.drained(ticket(1), 0);
  sender.drained(ticket(1), 0);
  sender.drained(ticket(2), 1);
  EXPECT_EQ(pages.n_free(), 6);
  sender.drained(ticket(1), 1);
  EXPECT_EQ(pages.n_free(), 8);
  EXPECT_TRUE(sender.take_ended().empty()) << "nobody asked for its end";
}

TEST_F(SenderTest, WhatIsGivenUpKeepsItsPagesUntilThen) {
  seal(ticket(1));
  EXPECT_TRUE(sender.give_up(ticket(1).attempt));
  EXPECT_FALSE(sender.give_up(ticket(2).attempt));
  EXPECT_EQ(sender.take_give_ups().size(), 1u);
  sender.drained(ticket(1), 0);
  EXPECT_EQ(pages.n_free(), 6);
  sender.drained(ticket(1), 1);
  EXPECT_EQ(pages.n_free(), 8);
  EXPECT_EQ(sender.take_ended(), std::vector{ticket(1).attempt});
}

TEST_F(SenderTest, AskedAgainTheRanksSayItAgain) {
  sender.give_up(ticket(1), kDecode, {});
  sender.give_up(ticket(1), kDecode, {});
  EXPECT_EQ(sender.take_give_ups().size(), 2u);
}

TEST_F(SenderTest, ATicketIsBegunOnceAndNotAfterItWasGivenUp) {
  EXPECT_TRUE(sender.begin(ticket(1, 1), kDecode));
  EXPECT_FALSE(sender.begin(ticket(1, 1), kDecode));
  sender.give_up(ticket(2, 2), kDecode, {});  // voided before it came
  EXPECT_FALSE(sender.begin(ticket(2, 2), kDecode));
  EXPECT_TRUE(sender.begin(ticket(3, 3), kDecode));
  EXPECT_TRUE(sender.begin(ticket(4, 1), kDecode + 1)) << "another pair counts for itself";
}

TEST_F(SenderTest, WhatDoesNotLandIsGivenUpAtItsDeadline) {
  seal(ticket(1));
  sender.expire(kNow);
  EXPECT_TRUE(sender.take_give_ups().empty());
  sender.expire(kDeadline);
  EXPECT_EQ(sender.take_give_ups().size(), 1u);
  EXPECT_EQ(pages.n_free(), 6);
}

TEST_F(SenderTest, OfALostGroupPagesGoBackWhenItsChannelsAreClosed) {
  seal(ticket(1));
  sender.lost(kDecode);
  EXPECT_EQ(pages.n_free(), 6);
  sender.closed(kDecode);
  EXPECT_EQ(pages.n_free(), 8);
  EXPECT_TRUE(sender.idle());
}

TEST(UsedSerials, EachIsUsedOnceInAnyOrderAndVeryOldOnesCountAsUsed) {
  UsedSerials used;
  EXPECT_TRUE(used.use(2));
  EXPECT_TRUE(used.use(1));
  EXPECT_FALSE(used.use(1));
  for (uint32_t serial = 4; serial < 10000; ++serial) EXPECT_TRUE(used.use(serial));
  EXPECT_FALSE(used.use(3));
}

}  // namespace
}  // namespace ferry
