#include "parallel/mpi.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "core/base/error.h"
#include "tests/parallel/communicator_contract.h"
#include "tests/parallel/mpi/ranks.h"

namespace ferry {
namespace {

using namespace std::chrono_literals;

class CommunicatorContract : public testing::TestWithParam<contract::Case> {};

TEST_P(CommunicatorContract, HoldsOverMpi) {
  const auto group = session().split(0);
  EXPECT_EQ(from_all_ranks(GetParam().body(*group)), "");
}

INSTANTIATE_TEST_SUITE_P(Mpi, CommunicatorContract, testing::ValuesIn(contract::kCases),
                         [](const auto& named) { return std::string(named.param.name); });

TEST(MpiCommunicator, RanksThatWaitForABroadcastAreIdleMeanwhile) {
  const auto group = session().split(0);
  const auto signals = session().split(0);
  const auto say_idle = [&] { signals->gather_bytes("idle"); };
  const auto wait_for_idle_ranks = [&] { signals->gather_bytes(""); };
  EXPECT_EQ(
      from_all_ranks(contract::a_rank_that_waits_for_a_broadcast_calls_idle(*group, say_idle, wait_for_idle_ranks)),
      "");
}

TEST(MpiSession, SplitsIntoGroupsThatSumOnlyTheirOwn) {
  const int color = session().rank() % 2;
  const auto half = session().split(color);
  std::vector<float> values = {1.0F, static_cast<float>(session().rank())};
  half->all_reduce_sum(values);
  float wanted = 0;
  for (int rank = color; rank < session().size(); rank += 2) wanted += static_cast<float>(rank);
  const bool right = values[0] == static_cast<float>(half->size()) && values[1] == wanted;
  EXPECT_EQ(from_all_ranks(right ? "" : str("sum is ", values[0], ", ", values[1])), "");
}

TEST(MpiSession, KnowsThatAllRanksAreOnThisHostAndWhoStartedThem) {
  EXPECT_EQ(session().local_ranks(), session().size());
  EXPECT_TRUE(launched_by_mpirun());
}

// Runs `body`, which has to fail on at least one rank; nobody may hang (a hang is this program's ctest timeout).
std::string errors_of_all_ranks(const std::function<void()>& body) {
  std::string why;
  try {
    body();
  } catch (const Error& error) {
    why = error.what();
  }
  return from_all_ranks(why);
}

TEST(MpiCommunicator, RanksThatDivergeGetAnErrorThatNamesBothCollectives) {
  if (session().size() == 1) GTEST_SKIP() << "a group of one cannot diverge";
  const auto group = session().split(0, 200ms);
  std::vector<float> values(3);
  const std::string errors = errors_of_all_ranks([&] {
    if (group->rank() == 1) group->gather(values, {});
    if (group->rank() != 1) group->all_reduce_sum(values);
  });
  EXPECT_NE(errors.find("rank 0: the ranks diverged: rank 0 is in all_reduce_sum 1, rank 1 in gather 1"),
            std::string::npos)
      << errors;
}

TEST(MpiCommunicator, RanksThatSumDifferentLengthsGetAnErrorThatNamesBoth) {
  if (session().size() == 1) GTEST_SKIP() << "a group of one cannot diverge";
  const auto group = session().split(0, 200ms);
  std::vector<float> values(group->rank() == 1 ? 100'000 : 7);
  const std::string errors = errors_of_all_ranks([&] { group->all_reduce_sum(values); });
  EXPECT_NE(errors.find("rank 1 sends "), std::string::npos) << errors;
}

TEST(MpiCommunicator, ARankThatSkipsACollectiveIsNoticed) {
  if (session().size() == 1) GTEST_SKIP() << "a group of one cannot diverge";
  const auto group = session().split(0, 200ms);
  std::vector<float> values(3);
  const std::string errors = errors_of_all_ranks([&] {
    if (group->rank() != 1) group->gather_bytes("x");
    group->all_reduce_sum(values);
  });
  EXPECT_NE(errors.find("diverged"), std::string::npos) << errors;
}

TEST(MpiCommunicator, ARankThatDoesNotComeIsNamedAndTheGroupStaysFailed) {
  if (session().size() == 1) GTEST_SKIP() << "a group of one waits for nobody";
  const auto group = session().split(0, 100ms);
  std::vector<float> values(3);
  const int missing = session().size() - 1;
  const auto sum = [&] {
    if (group->rank() != missing) group->all_reduce_sum(values);
  };
  const std::string first = errors_of_all_ranks(sum);
  const std::string wanted = str("rank 0: rank 0 of ", session().size(), " waited 0.1 s in all_reduce_sum 1 for rank ");
  EXPECT_EQ(first.substr(0, wanted.size()), wanted);
  EXPECT_EQ(errors_of_all_ranks(sum), first) << "the second time has to fail at once, for the same reason";
}

}  // namespace
}  // namespace ferry
