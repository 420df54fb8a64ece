#include "launch/bench/allreduce_bench.h"

#include <gtest/gtest.h>

#include "kernels/cpu/host_device.h"
#include "parallel/threads.h"

namespace ferry {
namespace {

TEST(AllReduceBench, TimesEachRepeatAndSaysThatSumsAreRight) {
  ThreadGroup group(3);
  group.run([](Communicator& rank) {
    HostDevice device;
    AllReduceBench bench(rank, device);
    const AllReduceWay way = {.name = "threads", .sum = [&](std::span<float> values) { rank.all_reduce_sum(values); }};
    const AllReduceTimes times = bench.measure(way, 1000, 3);
    EXPECT_EQ(times.seconds.size(), 3U);
    for (const double seconds : times.seconds) EXPECT_GT(seconds, 0);
    EXPECT_TRUE(times.correct);
  });
}

TEST(AllReduceBench, NoticesAWayThatAddsNothingUp) {
  ThreadGroup group(2);
  group.run([](Communicator& rank) {
    HostDevice device;
    AllReduceBench bench(rank, device);
    EXPECT_FALSE(bench.measure({.name = "nothing", .sum = [](std::span<float>) {}}, 10, 1).correct);
  });
}

TEST(AllReduceBench, CountsWhatHasToLeaveEachRank) {
  EXPECT_EQ(AllReduceBench::bytes_on_the_way(1000, 2), 1000);
  EXPECT_EQ(AllReduceBench::bytes_on_the_way(1000, 4), 1500);
}

}  // namespace
}  // namespace ferry
