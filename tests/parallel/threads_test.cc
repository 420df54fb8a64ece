#include "parallel/threads.h"

#include <gtest/gtest.h>

#include <latch>

#include "core/base/error.h"
#include "parallel/solo.h"
#include "tests/parallel/communicator_contract.h"

namespace ferry {
namespace {

using namespace std::chrono_literals;

class CommunicatorContract : public testing::TestWithParam<std::tuple<int, contract::Case>> {};

TEST_P(CommunicatorContract, HoldsOverThreads) {
  const contract::Case& contract_case = std::get<1>(GetParam());
  ThreadGroup group(std::get<0>(GetParam()));
  group.run([&](Communicator& rank) { EXPECT_EQ(contract_case.body(rank), "") << "on rank " << rank.rank(); });
}

INSTANTIATE_TEST_SUITE_P(Threads, CommunicatorContract,
                         testing::Combine(testing::Values(1, 2, 3, 4), testing::ValuesIn(contract::kCases)),
                         [](const auto& named) {
                           return std::get<1>(named.param).name + std::to_string(std::get<0>(named.param));
                         });

class SoloContract : public testing::TestWithParam<contract::Case> {};

TEST_P(SoloContract, Holds) {
  SoloCommunicator solo;
  EXPECT_EQ(GetParam().body(solo), "");
}

INSTANTIATE_TEST_SUITE_P(Solo, SoloContract, testing::ValuesIn(contract::kCases),
                         [](const auto& named) { return std::string(named.param.name); });

TEST(ThreadGroup, WaitingRanksAreIdleUntilRankZeroBroadcasts) {
  ThreadGroup group(3);
  std::latch all_idle(2);
  group.run([&](Communicator& rank) {
    EXPECT_EQ(contract::a_rank_that_waits_for_a_broadcast_calls_idle(
                  rank, [&] { all_idle.count_down(); }, [&] { all_idle.wait(); }),
              "");
  });
}

TEST(ThreadGroup, RanksThatDivergeAreToldWhoDoesWhat) {
  ThreadGroup group(3);
  std::vector<std::string> why(3);
  const auto diverge = [&](Communicator& rank) {
    std::vector<float> values(3);
    try {
      if (rank.rank() == 2) rank.gather(values, {});
      if (rank.rank() != 2) rank.all_reduce_sum(values);
    } catch (const Error& error) {
      why[static_cast<size_t>(rank.rank())] = error.what();
    }
  };
  group.run(diverge);
  for (const std::string& reason : why) {
    EXPECT_EQ(reason, "the ranks diverged: rank 0 is in all_reduce_sum of size 3, rank 2 in gather of size 0");
  }
}

TEST(ThreadGroup, RanksThatSumDifferentLengthsAreToldSo) {
  ThreadGroup group(2);
  const auto diverge = [](Communicator& rank) {
    std::vector<float> values(rank.rank() == 0 ? 8 : 9);
    rank.all_reduce_sum(values);
  };
  EXPECT_THROW(group.run(diverge), Error);
}

TEST(ThreadGroup, ARankThatDoesNotComeFailsTheOthers) {
  ThreadGroup group(3, 50ms);
  const auto stay_away = [](Communicator& rank) {
    std::vector<float> values(4);
    if (rank.rank() != 1) rank.all_reduce_sum(values);
  };
  EXPECT_THROW(group.run(stay_away), Error);
}

TEST(ThreadGroup, ARankThatThrowsFailsTheOthersAndItsReasonIsTheGroups) {
  ThreadGroup group(3);
  const auto fail = [](Communicator& rank) {
    if (rank.rank() == 1) throw Error("no more memory");
    std::string bytes;
    rank.broadcast(bytes, [] {});
  };
  try {
    group.run(fail);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "no more memory");
  }
}

TEST(ThreadGroup, AGatherIntoTheWrongSizeIsAnErrorAndNotAWrite) {
  ThreadGroup group(2);
  const auto gather = [](Communicator& rank) {
    std::vector<float> mine(3), all(rank.rank() == 0 ? 5 : 0);
    rank.gather(mine, all);
  };
  EXPECT_THROW(group.run(gather), Error);
}

}  // namespace
}  // namespace ferry
