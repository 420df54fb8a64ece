#include "core/base/bounded_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace ferry {
namespace {

using namespace std::chrono_literals;
constexpr Duration kForEver = 1h;

TEST(BoundedQueue, GivesItemsInTheOrderTheyCame) {
  BoundedQueue<std::unique_ptr<int>> queue(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.push(std::make_unique<int>(i)));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(**queue.try_pop(), i);
  EXPECT_EQ(queue.try_pop(), std::nullopt);
}

TEST(BoundedQueue, RefusesWhenFullAndTakesAgainWhenThereIsRoom) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.try_push(1));
  EXPECT_TRUE(queue.try_push(2));
  EXPECT_FALSE(queue.try_push(3));
  EXPECT_EQ(queue.try_pop(), 1);
  EXPECT_TRUE(queue.try_push(4));
  EXPECT_EQ(queue.try_pop(), 2);
  EXPECT_EQ(queue.try_pop(), 4);
}

TEST(BoundedQueue, CountsWeightsAndTakesAnItemHeavierThanAllItsRoom) {
  BoundedQueue<int> queue(10);
  EXPECT_TRUE(queue.try_push(1, 9));
  EXPECT_TRUE(queue.try_push(2, 100));
  EXPECT_FALSE(queue.try_push(3, 1));
  EXPECT_EQ(queue.try_pop(), 1);
  EXPECT_FALSE(queue.try_push(3, 1));
  EXPECT_EQ(queue.try_pop(), 2);
  EXPECT_TRUE(queue.try_push(3, 1));
}

TEST(BoundedQueue, GivesUpWaitingWhenNothingComes) {
  BoundedQueue<int> queue(1);
  EXPECT_EQ(queue.pop(1ms), std::nullopt);
}

TEST(BoundedQueue, AClosedQueueGivesWhatItHasAndTakesNothing) {
  BoundedQueue<int> queue(2);
  queue.push(1);
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_FALSE(queue.try_push(2));
  EXPECT_EQ(queue.pop(kForEver), 1);
  EXPECT_EQ(queue.pop(kForEver), std::nullopt);
}

TEST(BoundedQueue, ClosingWakesWhoeverWaits) {
  BoundedQueue<int> full(1), empty(1);
  full.push(1);
  std::thread pusher([&] { EXPECT_FALSE(full.push(2)); });
  std::thread popper([&] { EXPECT_EQ(empty.pop(kForEver), std::nullopt); });
  full.close();
  empty.close();
  pusher.join();
  popper.join();
}

TEST(BoundedQueue, HandsOverEverythingOnceBetweenManyThreads) {
  constexpr int kThreads = 3, kItems = 2000;
  BoundedQueue<int> queue(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&queue, t] {
      for (int i = 0; i < kItems; ++i) queue.push(t * kItems + i);
    });
  }
  std::vector<int> seen(kThreads * kItems);
  std::vector<int> last(kThreads, -1);
  for (size_t n = 0; n < seen.size(); ++n) {
    const int item = queue.pop(kForEver).value();
    ++seen[static_cast<size_t>(item)];
    int& before = last[static_cast<size_t>(item / kItems)];
    EXPECT_LT(before, item) << "items of one thread stay in order";
    before = item;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, std::vector<int>(seen.size(), 1));
}

}  // namespace
}  // namespace ferry
