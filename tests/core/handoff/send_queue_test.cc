#include "core/handoff/send_queue.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

Load load(RequestId id, int due_ms, uint64_t bytes) {
  return {.ticket = {.attempt = {.request = id}}, .due = Instant{} + ms(due_ms), .pieces = {}, .bytes = bytes};
}

RequestId next_of(SendQueue& queue) {
  const auto next = queue.next();
  return next ? next->ticket.attempt.request : 0;
}

TEST(SendQueue, WhatIsDueFirstGoesFirstAndEqualOnesInOrder) {
  SendQueue queue(1000);
  queue.push(load(1, 50, 1));
  queue.push(load(2, 10, 1));
  queue.push(load(3, 50, 1));
  EXPECT_EQ(next_of(queue), 2);
  EXPECT_EQ(next_of(queue), 1);
  EXPECT_EQ(next_of(queue), 3);
  EXPECT_EQ(next_of(queue), 0);
}

TEST(SendQueue, AShortPromptPassesTheBacklogOfALongOne) {
  SendQueue queue(100);
  for (int i = 0; i < 5; ++i) queue.push(load(1, 4096, 100));
  EXPECT_EQ(next_of(queue), 1);
  queue.push(load(2, 32, 10));
  EXPECT_EQ(next_of(queue), 0) << "the window is full";
  queue.landed(100);
  EXPECT_EQ(next_of(queue), 2);
}

TEST(SendQueue, TheWindowBoundsWhatIsPostedButNeverBlocksALargeLoad) {
  SendQueue queue(100);
  queue.push(load(1, 1, 1000));
  queue.push(load(2, 2, 10));
  EXPECT_EQ(next_of(queue), 1);
  EXPECT_EQ(next_of(queue), 0);
  queue.landed(1000);
  EXPECT_EQ(next_of(queue), 2);
}

TEST(SendQueue, DroppedLoadsAreNotPosted) {
  SendQueue queue(100);
  queue.push(load(1, 1, 1));
  queue.push(load(2, 2, 1));
  queue.push(load(1, 3, 1));
  EXPECT_EQ(queue.drop({.attempt = {.request = 1}}), 2);
  EXPECT_EQ(next_of(queue), 2);
  EXPECT_EQ(next_of(queue), 0);
}

}  // namespace
}  // namespace ferry
