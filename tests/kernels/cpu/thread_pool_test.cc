#include "kernels/cpu/thread_pool.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace ferry {
namespace {

TEST(ThreadPool, EveryIndexIsTakenOnceWhateverTheGrain) {
  for (const int n_threads : {1, 2, 5}) {
    ThreadPool pool(n_threads);
    EXPECT_EQ(pool.n_threads(), n_threads);
    for (const int64_t n : {0, 1, 7, 1000}) {
      for (const int64_t grain : {1, 3, 999, 5000}) {
        std::vector<std::atomic<int>> taken(static_cast<size_t>(n));
        pool.for_each_range(n, grain, [&](int64_t begin, int64_t end, int thread) {
          EXPECT_TRUE(thread >= 0 && thread < n_threads);
          EXPECT_TRUE(end - begin <= grain || n_threads == 1);
          for (int64_t i = begin; i < end; ++i) taken[static_cast<size_t>(i)]++;
        });
        for (const std::atomic<int>& count : taken) ASSERT_EQ(count, 1);
      }
    }
  }
}

TEST(ThreadPool, WhatACallWroteIsSeenByTheNext) {  // ThreadSanitizer looks on
  ThreadPool pool(3);
  std::vector<int> values(64);
  for (int round = 0; round < 3000; ++round) {
    pool.for_each_range(64, 1, [&](int64_t begin, int64_t, int) {
      const auto i = static_cast<size_t>(begin);
      ASSERT_EQ(values[i], round);
      values[i] = round + 1;
    });
  }
}

TEST(ThreadPool, TwoThreadsAreInsideACallAtOnce) {
  ThreadPool pool(2);
  std::atomic<int> inside = 0;
  pool.for_each_range(2, 1, [&](int64_t, int64_t, int) {  // each range waits for the other
    ++inside;
    inside.notify_all();
    for (int seen = inside; seen < 2; seen = inside) inside.wait(seen);
  });
  EXPECT_EQ(inside, 2);
}

TEST(ThreadPool, ItEndsWhileItsThreadsSleepOrWait) {
  for (int round = 0; round < 200; ++round) {
    ThreadPool pool(3);
    if (round % 2 == 0) pool.for_each_range(9, 1, [](int64_t, int64_t, int) {});
  }
}

}  // namespace
}  // namespace ferry
