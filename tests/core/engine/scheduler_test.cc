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

}  // namespace
}  // namespace ferry
