#include "core/handoff/receiver.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

using Verdict = Receiver::Verdict;
constexpr int kPageTokens = 4;
constexpr ContentId kModel = 77;
const Instant kNow{};
const Instant kLater = kNow + std::chrono::seconds(1);

std::vector<KvLayout> layouts(std::vector<Range> heads) {
  std::vector<KvLayout> all;
  for (const Range h : heads) all.emplace_back(Shard{.layers = {0, 2}, .heads = h}, kPageTokens, 8, KvDtype::f32, 16);
  return all;
}

class ReceiverTest : public testing::Test {
 protected:
  ReceiverTest() : ReceiverTest(wire::Verify::off) {}
  explicit ReceiverTest(wire::Verify verify)
      : receiver({.page_tokens = kPageTokens,
                  .content_start = kModel,
                  .verify = verify,
                  .reuse = true,
                  .most_quarantined = 4,
                  .seed = 5},
                 pages),
        prefill(peers.add(1, {.key = {"p", 1}, .layouts = layouts({{0, 2}, {2, 3}})}, false)) {}

  static wire::Reserve order(RequestId id, int n_prompt = 9, int max_tokens = 3) {
    Request request = {.id = id, .max_tokens = max_tokens};
    for (int i = 0; i < n_prompt; ++i) request.prompt.push_back(10 + i);
    return {.attempt = {.router = 1, .request = id, .attempt = 1}, .pairing = 1, .request = request};
  }
  wire::Ticket reserve(RequestId id) { return *receiver.reserve(order(id), prefill, kLater); }
  Verdict land(const wire::Ticket& ticket, int rank, bool complete = true) {
    return receiver.landed(prefill.id, {.ticket = ticket.name, .rank = rank, .complete = complete, .bytes = 100}, kNow);
  }
  Verdict seal(const wire::Ticket& ticket, ContentId content) {
    return receiver.sealed(prefill.id, {.ticket = ticket.name, .content = content, .first = {.id = 9}}, kNow);
  }
  ContentId content(RequestId id) const { return content_of(kModel, order(id).request.prompt, kPageTokens); }
  int n_quarantined() const { return pages.counts().quarantined; }

  PageAllocator pages{16};
  Receiver receiver;
  Peers peers{layouts({{0, 3}})};
  Peer& prefill;
};

TEST_F(ReceiverTest, ASequenceArrivesWhenEverySourceHasLandedAndThePromptIsSealed) {
  const wire::Ticket ticket = reserve(1);
  EXPECT_EQ(ticket.pages.size(), 3u);
  EXPECT_EQ(pages.counts().leased, 3) << "the answer's come when it needs them";
  EXPECT_EQ(seal(ticket, content(1)), Verdict::taken);
  EXPECT_EQ(land(ticket, 0), Verdict::taken);
  EXPECT_TRUE(receiver.take_arrivals().empty());
  EXPECT_EQ(land(ticket, 1), Verdict::taken);
  const auto arrivals = receiver.take_arrivals();
  ASSERT_EQ(arrivals.size(), 1u);
  EXPECT_EQ(arrivals[0].first.id, 9);
  EXPECT_EQ(arrivals[0].bill.kv_bytes, 200u);
}

TEST_F(ReceiverTest, AReserveThatComesAfterItsAbortBeginsNothing) {
  EXPECT_FALSE(receiver.abort(order(1).attempt));
  EXPECT_FALSE(receiver.reserve(order(1), prefill, kLater));
  EXPECT_EQ(pages.counts().free, 16);
  EXPECT_TRUE(receiver.reserve(order(2), prefill, kLater));
}

TEST_F(ReceiverTest, WhatIsSaidTwiceOrUnderAnotherTicketChangesNothing) {
  const wire::Ticket ticket = reserve(1);
  EXPECT_EQ(land(ticket, 0), Verdict::taken);
  EXPECT_EQ(land(ticket, 0), Verdict::stale);
  wire::Ticket forged = ticket;
  forged.name.key ^= 1;
  EXPECT_EQ(land(forged, 1), Verdict::refused);
  EXPECT_EQ(seal(forged, content(1)), Verdict::refused);
  forged = ticket;
  forged.name.attempt.request = 2;
  EXPECT_EQ(land(forged, 1), Verdict::stale);
  const GroupId other = peers.add(2, {.key = {"q", 1}, .layouts = layouts({{0, 3}})}, false).id;
  EXPECT_EQ(receiver.landed(other, {.ticket = ticket.name, .rank = 1, .complete = true}, kNow), Verdict::refused)
      << "another group's channel";
  EXPECT_EQ(land(ticket, 5), Verdict::stale) << "no source";
  EXPECT_TRUE(receiver.take_arrivals().empty());
}

TEST_F(ReceiverTest, AskedAgainItGivesTheSameTicketAndNoMorePages) {
  const wire::Ticket ticket = reserve(1);
  const int n_free = pages.n_free();
  EXPECT_FALSE(receiver.reserve(order(1), prefill, kLater)) << "it is given";
  EXPECT_EQ(receiver.given(order(1).attempt)->name, ticket.name);
  EXPECT_EQ(pages.n_free(), n_free);
  receiver.abort(ticket.name.attempt);
  EXPECT_FALSE(receiver.reserve(order(1), prefill, kLater)) << "it ended";
  land(ticket, 0, false);
  land(ticket, 1, false);
  EXPECT_FALSE(receiver.reserve(order(1), prefill, kLater)) << "and nothing of it is left";
}

TEST_F(ReceiverTest, AbortedPagesAreInQuarantineUntilEverySourceHasLanded) {
  const wire::Ticket ticket = reserve(1);
  EXPECT_TRUE(receiver.abort(ticket.name.attempt));
  EXPECT_EQ(n_quarantined(), 3);
  EXPECT_TRUE(receiver.may_write(prefill.id, ticket.pages[0].page));
  land(ticket, 0, false);
  EXPECT_EQ(n_quarantined(), 3);
  EXPECT_TRUE(receiver.take_ended().empty());
  land(ticket, 1, false);
  EXPECT_EQ(pages.n_free(), 16);
  EXPECT_EQ(receiver.take_ended().size(), 1u);
  EXPECT_FALSE(receiver.may_write(prefill.id, ticket.pages[0].page));
}

TEST_F(ReceiverTest, TheSendersAreAskedToVoidATicketAgainAndAgain) {
  const wire::Ticket ticket = reserve(1);
  EXPECT_TRUE(receiver.take_voided(kNow).empty());
  receiver.abort(ticket.name.attempt);
  EXPECT_EQ(receiver.take_voided(kNow).size(), 1u);
  EXPECT_TRUE(receiver.take_voided(kNow).empty());
  EXPECT_EQ(receiver.take_voided(kLater).size(), 1u);
}

TEST_F(ReceiverTest, ALostPairEndsItsAttemptsAndKeepsTheirPagesUntilItIsFenced) {
  const wire::Ticket ticket = reserve(1);
  EXPECT_EQ(receiver.lost(prefill.id).size(), 1u);
  EXPECT_EQ(n_quarantined(), 3);
  receiver.fenced(prefill.id + 1);
  EXPECT_EQ(n_quarantined(), 3) << "another pair's fence";
  receiver.fenced(prefill.id);
  EXPECT_EQ(pages.n_free(), 16);
}

TEST_F(ReceiverTest, AGroupWithTooMuchInQuarantineGetsNothing) {
  for (RequestId id = 1; id <= 2; ++id) reserve(id);
  receiver.abort_all();
  EXPECT_EQ(n_quarantined(), 6);
  EXPECT_FALSE(receiver.reserve(order(3), prefill, kLater));
  const Peer& other = peers.add(2, {.key = {"q", 1}, .layouts = layouts({{0, 3}})}, false);
  EXPECT_TRUE(receiver.reserve(order(4), other, kLater)) << "others do";
}

TEST_F(ReceiverTest, AnotherPromptsPagesAreNotTaken) {
  const wire::Ticket ticket = reserve(1);
  seal(ticket, content(1) + 1);
  land(ticket, 0);
  land(ticket, 1);
  EXPECT_TRUE(receiver.take_arrivals().empty());
  const auto failures = receiver.take_failures();
  ASSERT_EQ(failures.size(), 1u);
  EXPECT_NE(failures[0].why.find("content id"), std::string::npos);
  EXPECT_EQ(pages.n_free(), 16);
}

TEST_F(ReceiverTest, LogprobsOfAnotherPromptAreNotTaken) {
  wire::Reserve scored = order(1);
  scored.request.prompt_logprobs = true;
  const wire::Ticket wants = *receiver.reserve(scored, prefill, kLater), wants_none = reserve(2);
  const auto end = [&](const wire::Ticket& ticket, size_t n) {
    receiver.sealed(
        prefill.id,
        {.ticket = ticket.name, .content = content(1), .first = {.id = 9}, .prompt_logprobs = std::vector<Token>(n)},
        kNow);
    land(ticket, 0);
    land(ticket, 1);
  };
  end(wants, 7);
  end(wants_none, 8);
  EXPECT_EQ(receiver.take_failures().size(), 2u);
  EXPECT_TRUE(receiver.take_arrivals().empty());
}

TEST_F(ReceiverTest, TheReaperEndsWhatIsLate) {
  const wire::Ticket ticket = reserve(1);
  EXPECT_TRUE(receiver.expire(kNow).empty());
  EXPECT_EQ(receiver.expire(kLater), std::vector{ticket.name.attempt});
  EXPECT_TRUE(receiver.expire(kLater).empty());
  EXPECT_EQ(n_quarantined(), 3);
}

TEST_F(ReceiverTest, PagesThatHoldTheBeginningOfAPromptAreNotSentAgain) {
  const wire::Ticket first = reserve(1);
  seal(first, content(1));
  land(first, 0);
  land(first, 1);
  auto arrivals = receiver.take_arrivals();
  const auto contents = block_contents(kModel, order(1).request.prompt, kPageTokens);
  pages.publish(arrivals[0].lease, 0, contents[0]);
  const wire::Ticket second = reserve(2);  // the same prompt
  EXPECT_EQ(second.n_cached_tokens, kPageTokens);
  EXPECT_EQ(second.pages[0], first.pages[0]);
  EXPECT_EQ(pages.counts().shared, 1);
  EXPECT_FALSE(receiver.may_write(prefill.id, second.pages[0].page)) << "shared pages are only read";
  receiver.abort(second.name.attempt);
  EXPECT_EQ(pages.counts().shared, 0) << "and are never in quarantine";
  EXPECT_EQ(n_quarantined(), 2);
}

class VerifyingReceiver : public ReceiverTest {
 protected:
  VerifyingReceiver() : ReceiverTest(wire::Verify::all) {}
  wire::Ticket landed_everywhere() {
    const wire::Ticket ticket = reserve(1);
    seal(ticket, content(1));
    for (const int rank : {0, 1})
      receiver.landed(prefill.id,
                      {.ticket = ticket.name, .rank = rank, .complete = true, .sums = {{.destination = 0, .sum = 3}}},
                      kNow);
    return ticket;
  }
};

TEST_F(VerifyingReceiver, ItArrivesWhenEveryRankHasComparedIt) {
  const wire::Ticket ticket = landed_everywhere();
  EXPECT_TRUE(receiver.take_arrivals().empty());
  const auto orders = receiver.take_verifies(2);
  ASSERT_EQ(orders.size(), 1u);
  EXPECT_EQ(orders[0].sent.size(), 2u);
  EXPECT_EQ(orders[0].tokens, (Range{0, 9}));
  EXPECT_TRUE(receiver.take_verifies(2).empty());
  receiver.verified(ticket.name.attempt, 0, "", kNow);
  EXPECT_TRUE(receiver.take_arrivals().empty());
  receiver.verified(ticket.name.attempt, 1, "", kNow);
  EXPECT_EQ(receiver.take_arrivals().size(), 1u);
}

TEST_F(VerifyingReceiver, WhatIsNotAsItWasSentDoesNotArrive) {
  const wire::Ticket ticket = landed_everywhere();
  receiver.take_verifies(2);
  receiver.verified(ticket.name.attempt, 0, "checksum 3, not 4", kNow);
  receiver.verified(ticket.name.attempt, 1, "", kNow);
  EXPECT_TRUE(receiver.take_arrivals().empty());
  EXPECT_EQ(receiver.take_failures().size(), 1u);
  EXPECT_EQ(pages.n_free(), 16);
}

}  // namespace
}  // namespace ferry
