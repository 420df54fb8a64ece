#include "launch/serve/waker.h"

#include <gtest/gtest.h>

#include <thread>

namespace ferry {
namespace {

TEST(Waker, LooksOnceHoweverOftenItWasWokenBefore) {
  asio::io_context io;
  Waker waker(io);
  int n_looks = 0;
  waker.when_woken([&] { ++n_looks; });
  for (int i = 0; i < 10; ++i) waker.wake();
  io.run();
  EXPECT_EQ(n_looks, 1);
}

TEST(Waker, WhatComesWhileItLooksIsAReasonToLookAgain) {
  asio::io_context io;
  Waker waker(io);
  int n_looks = 0;
  waker.when_woken([&] {
    if (++n_looks < 3) waker.wake();
  });
  waker.wake();
  io.run();
  EXPECT_EQ(n_looks, 3);
}

TEST(Waker, NothingThatIsAddedByAnotherThreadIsOverlooked) {
  asio::io_context io;
  Waker waker(io);
  constexpr int kMany = 10000;
  std::atomic<int> n_added = 0;
  int n_seen = 0;
  auto busy = asio::make_work_guard(io);
  waker.when_woken([&] {
    n_seen = n_added;
    if (n_seen == kMany) busy.reset();
  });
  std::jthread other([&] {
    for (int i = 0; i < kMany; ++i) {
      ++n_added;
      waker.wake();
    }
  });
  io.run();
  EXPECT_EQ(n_seen, kMany);
}

TEST(Waker, WhoIsGoneIsNotCalled) {
  asio::io_context io;
  Waker waker(io);
  int n_looks = 0;
  waker.when_woken([&] { ++n_looks; });
  waker.wake();
  waker.when_woken({});
  io.run();
  EXPECT_EQ(n_looks, 0);
}

}  // namespace
}  // namespace ferry
