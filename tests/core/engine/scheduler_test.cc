#include "core/engine/scheduler.h"

#include <gtest/gtest.h>

#include "core/engine/step_pace.h"

namespace ferry {
namespace {

constexpr int kPageTokens = 4;
constexpr ContentId kModel = 3;
const Instant kNow{};

Sequence sequence(RequestId id, int n_prompt, int base = 10, Instant since = kNow) {
  Request request = {.id = id, .max_tokens = 2};
  for (int i = 0; i < n_prompt; ++i) request.prompt.push_back(base + i);
  return {.attempt = {.request = id},
          .request = request,
          .tokens = request.prompt,
          .lease = {},
          .ship = {},
          .since = since,
          .deadline = since + std::chrono::hours(1)};
}

class SchedulerTest : public testing::Test {
 protected:
  // The requests in the next batch, and how many tokens of each.
  std::vector<std::pair<RequestId, int>> next() {
    std::vector<std::pair<RequestId, int>> result;
    for (const Scheduler::Planned& p : scheduler.plan(1 << 20).sequences) {
      result.emplace_back(p.sequence->request.id, p.tokens.size());
      scheduler.publish(*p.sequence);
    }
    return result;
  }
  using Rows = std::vector<std::pair<RequestId, int>>;
  PageAllocator pages{64};
  Scheduler scheduler{{.max_batch_tokens = 16, .max_sequences = 4},
                      pages,
                      {.page_tokens = kPageTokens, .content_start = kModel, .on = true}};
};

TEST_F(SchedulerTest, AShortPromptDoesNotWaitBehindALongOne) {
  scheduler.enqueue(sequence(1, 60));
  EXPECT_EQ(next(), (Rows{{1, 16}}));
  scheduler.enqueue(sequence(2, 5, 100));
  EXPECT_EQ(next(), (Rows{{2, 5}, {1, 11}}));
}

TEST_F(SchedulerTest, AndALongOneIsNotStarved) {
  scheduler.enqueue(sequence(1, 40));
  EXPECT_EQ(next(), (Rows{{1, 16}}));
  scheduler.enqueue(sequence(2, 5, 100, kNow + std::chrono::milliseconds(50)));  // due after the long one
  EXPECT_EQ(next(), (Rows{{1, 16}}));
}

TEST_F(SchedulerTest, AStepThatShouldBeShortLeavesPartOfAPromptForTheNext) {
  PageAllocator many{64};
  Scheduler wide{{.max_batch_tokens = 128, .max_sequences = 4}, many, {.page_tokens = kPageTokens}};
  wide.enqueue(sequence(1, 100));
  EXPECT_EQ(wide.plan(40).batch.n_rows(), 40);
  EXPECT_EQ(wide.plan(1).batch.n_rows(), StepPace::kLeast);  // never so short that it would take forever
  EXPECT_EQ(wide.plan(40).batch.n_rows(), 28);
}

TEST_F(SchedulerTest, TheBeginningOfAPromptThatIsThereIsNotComputedAgain) {
  scheduler.enqueue(sequence(1, 11));
  EXPECT_EQ(next(), (Rows{{1, 11}}));
  scheduler.enqueue(sequence(2, 10));  // two whole pages in common
  EXPECT_EQ(next(), (Rows{{2, 2}}));
  EXPECT_EQ(pages.counts().shared, 2);
}

TEST_F(SchedulerTest, ALastTokenIsComputedEvenWhenItsPageIsThere) {
  scheduler.enqueue(sequence(1, 8));
  next();
  scheduler.enqueue(sequence(2, 8));
  EXPECT_EQ(next(), (Rows{{2, 4}}));
}

TEST_F(SchedulerTest, PagesOfASequenceThatEndedAreFoundUntilTheyAreNeeded) {
  scheduler.enqueue(sequence(1, 8));
  next();
  scheduler.remove({.request = 1});
  EXPECT_EQ(pages.n_free(), 64);
  scheduler.enqueue(sequence(2, 9));
  EXPECT_EQ(next(), (Rows{{2, 1}}));
  scheduler.remove({.request = 2});
  { const auto all = pages.lease(64); }
  scheduler.enqueue(sequence(3, 9));
  EXPECT_EQ(next(), (Rows{{3, 9}})) << "used for something else meanwhile";
}

Sequence scored_sequence(RequestId id, int n_prompt) {
  Sequence s = sequence(id, n_prompt);
  s.request.n_logprobs = 0;
  s.request.prompt_logprobs = true;
  return s;
}

// The last step's sequences, as an engine would go on with them.
void score(const Scheduler::Plan& plan) {
  for (const Scheduler::Planned& p : plan.sequences) {
    for (int i = p.scored.begin; i < p.scored.end; ++i) p.sequence->prompt_logprobs.push_back({.id = i});
  }
}

TEST_F(SchedulerTest, EachTokenOfAPromptIsScoredByTheRowOfTheOneBeforeIt) {
  scheduler.enqueue(sequence(1, 3, 100));
  scheduler.enqueue(scored_sequence(2, 7));
  std::vector<int> scored;
  for (int steps = 0; steps < 2; ++steps) {
    const Scheduler::Plan plan = scheduler.plan(1 << 20);
    const Scheduler::Planned& p = plan.sequences.back();
    ASSERT_EQ(p.sequence->request.id, 2);
    for (int i = p.scored.begin; i < p.scored.end; ++i) {
      const int row = plan.batch.logit_rows[static_cast<size_t>(p.first_row + i - p.scored.begin)];
      EXPECT_EQ(plan.batch.positions[static_cast<size_t>(row)], i - 1);
      EXPECT_EQ(p.scored_by(p.first_row + i - p.scored.begin), static_cast<size_t>(i));
      scored.push_back(i);
    }
    EXPECT_EQ(p.logit_row >= 0, steps == 1) << "the next token's row comes last";
    EXPECT_LE(plan.batch.logit_rows.size(), 4u) << "as many as sequences may run";
    score(plan);
    scheduler.remove({.request = 1});
  }
  EXPECT_EQ(scored, (std::vector<int>{1, 2, 3, 4, 5, 6}));
}

TEST_F(SchedulerTest, APromptThatIsScoredIsComputedAlthoughItIsThere) {
  scheduler.enqueue(sequence(1, 11));
  next();
  scheduler.enqueue(scored_sequence(2, 11));
  EXPECT_EQ(next(), (Rows{{2, 3}})) << "of four rows of logits, one is the first sequence's";
  EXPECT_EQ(pages.counts().shared, 0);
}

// Two sequences and six pages of four tokens: both fill their pages at the same time.
class ShortOfPages : public testing::Test {
 protected:
  std::vector<RequestId> step() {
    std::vector<RequestId> ran;
    for (const Scheduler::Planned& p : scheduler.plan(1 << 20).sequences) {
      ran.push_back(p.sequence->request.id);
      scheduler.publish(*p.sequence);
      if (p.logit_row >= 0) p.sequence->tokens.push_back(static_cast<int>(p.sequence->tokens.size()));
    }
    return ran;
  }
  using Ids = std::vector<RequestId>;
  PageAllocator pages{6};
  Scheduler scheduler{{.max_batch_tokens = 64, .max_sequences = 4},
                      pages,
                      {.page_tokens = kPageTokens, .content_start = kModel, .on = true}};
};

TEST_F(ShortOfPages, AnAnswerTakesPagesAsItGrows) {
  scheduler.enqueue(sequence(1, 7));
  step();
  EXPECT_EQ(pages.counts().leased, 2);
  step();
  EXPECT_EQ(pages.counts().leased, 2) << "the eighth token";
  step();
  EXPECT_EQ(pages.counts().leased, 3);
}

TEST_F(ShortOfPages, TheLastToBeDueGivesItsPagesUpAndComesBack) {
  scheduler.enqueue(sequence(1, 7));
  scheduler.enqueue(sequence(2, 7, 50));
  for (int i = 0; i < 6; ++i) EXPECT_EQ(step(), (Ids{1, 2})) << i;  // both are 13 long, 12 of them in three pages
  EXPECT_EQ(step(), (Ids{1}));
  EXPECT_EQ(scheduler.n_preempted(), 1u);
  EXPECT_TRUE(scheduler.waits_for_its_turn());
  EXPECT_EQ(scheduler.n_waiting(), 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(step(), (Ids{1}));  // four more pages would be one too many
  scheduler.remove({.request = 1});
  const auto again = scheduler.plan(1 << 20).sequences;
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].sequence->request.id, 2);
  EXPECT_EQ(again[0].tokens, (Range{8, 13})) << "one of its pages was taken, two are found";
  EXPECT_EQ(again[0].logit_row, 0) << "and it goes on where it was";
}

TEST_F(ShortOfPages, PagesThatAreOnTheirWayAreNotTaken) {
  Sequence shipped = sequence(2, 16, 50);
  shipped.ship.emplace();
  scheduler.enqueue(sequence(1, 7));
  EXPECT_EQ(step(), (Ids{1}));
  scheduler.enqueue(std::move(shipped));
  EXPECT_EQ(step(), (Ids{1})) << "its four pages, and one for the other to grow, are not there";
  scheduler.remove({.request = 1});
  const PageLease taken = *pages.lease(1);
  EXPECT_EQ(step(), (Ids{2}));
  Sequence arrived = sequence(3, 4, 90, kNow - std::chrono::hours(1));
  arrived.lease = *pages.lease(1);
  arrived.tokens.push_back(5);
  arrived.n_computed = 4;
  scheduler.attach(std::move(arrived));
  EXPECT_EQ(step(), Ids{}) << "it waits, though it was due before";
  EXPECT_EQ(scheduler.n_preempted(), 0u);
  scheduler.remove({.request = 2});
  EXPECT_EQ(step(), (Ids{3}));
}

}  // namespace
}  // namespace ferry
