#include "parallel/cuda/nccl_reducer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "core/base/error.h"
#include "parallel/solo.h"
#include "parallel/threads.h"
#include "tests/support/failure_of.h"

namespace ferry {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class NcclReducer : public testing::Test {
 protected:
  void SetUp() override {
    std::ofstream(log_, std::ios::trunc);
    setenv("FAKE_NCCL_LOG", log_.c_str(), 1);
  }
  void TearDown() override {
    unsetenv("FAKE_NCCL");
    unsetenv("FAKE_NCCL_LOG");
  }

  static void behave(const char* how) { setenv("FAKE_NCCL", how, 1); }
  static std::unique_ptr<Reducer> reducer(
      Communicator& host, std::function<void()> look = [] {}) {
    return make_nccl_reducer(load_nccl(FERRY_FAKE_NCCL), host,
                             {.stream = nullptr, .patience = 50ms, .look = std::move(look)});
  }

  // What the library was told of the end.
  std::string ends() const {
    std::ifstream in(log_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  SoloCommunicator solo_;
  std::vector<float> values_ = {1, 2, 3};

 private:
  const std::string log_ = testing::TempDir() + "fake_nccl_" + std::to_string(getpid()) + ".log";
};

TEST_F(NcclReducer, WaitsUntilConnectedAndForEachSumAndEndsInOrder) {
  behave("connects_late");
  auto nccl = reducer(solo_);
  for (int i = 0; i < 3; ++i) nccl->all_reduce_sum(ReduceMethod::nccl, values_);
  nccl->look();
  EXPECT_TRUE(nccl->in_stream());
  EXPECT_EQ(ends(), "");
  nccl.reset();
  EXPECT_EQ(ends(), "finalize\ndestroy\n");
}

TEST_F(NcclReducer, EveryRankGetsTheIdOfRankZero) {
  ThreadGroup group(3);
  group.run([](Communicator& host) { reducer(host)->look(); });  // the library refuses another id
}

TEST_F(NcclReducer, RanksThatNeverConnectFailAtTheirDeadlineAndAreAborted) {
  behave("never_connects");
  const std::string why = failure_of([&] { reducer(solo_); });
  EXPECT_THAT(why, HasSubstr("NCCL 2.28.9, rank 0 of 1, connecting the ranks: not done after 0.05 s"));
  EXPECT_THAT(why, HasSubstr("10.0.0.7")) << "what NCCL knows itself";
  EXPECT_THAT(why, HasSubstr("NCCL_SOCKET_IFNAME"));
  EXPECT_EQ(ends(), "abort\n");
}

TEST_F(NcclReducer, RanksThatCannotConnectSayWhatNcclSays) {
  behave("cannot_connect");
  EXPECT_THAT(failure_of([&] { reducer(solo_); }), HasSubstr("connecting the ranks: unhandled system error"));
  EXPECT_EQ(ends(), "abort\n");
}

TEST_F(NcclReducer, ASumThatIsNeverAcceptedFailsAtItsDeadlineAndStaysFailed) {
  behave("sums_never_end");
  auto nccl = reducer(solo_);
  const std::string first = failure_of([&] { nccl->all_reduce_sum(ReduceMethod::nccl, values_); });
  EXPECT_THAT(first, HasSubstr("an all-reduce: not done after 0.05 s"));
  EXPECT_EQ(failure_of([&] { nccl->all_reduce_sum(ReduceMethod::nccl, values_); }), first);
  EXPECT_EQ(failure_of([&] { nccl->look(); }), first);
  nccl.reset();
  EXPECT_EQ(ends(), "abort\n") << "once, and nothing is asked of it afterwards";
}

TEST_F(NcclReducer, APeerThatIsLostAfterASumIsSeenByTheNextLook) {
  behave("fails_later");
  const auto nccl = reducer(solo_);
  nccl->all_reduce_sum(ReduceMethod::nccl, values_);
  EXPECT_THAT(failure_of([&] { nccl->look(); }), HasSubstr("remote process exited"));
  EXPECT_EQ(ends(), "abort\n");
}

TEST_F(NcclReducer, ARankThatHasEndedEndsTheWaitForItBeforeTheDeadline) {
  behave("never_connects");
  const auto look = [n = 0]() mutable {
    if (++n == 3) throw Error("rank 1 of the group has ended (process 7)");
  };
  EXPECT_EQ(failure_of([&] { reducer(solo_, look); }), "rank 1 of the group has ended (process 7)");
  EXPECT_EQ(ends(), "abort\n");
}

TEST_F(NcclReducer, AnOldLibraryOrNoneIsAReasonNotToUseIt) {
  EXPECT_THAT(failure_of([] { load_nccl("/nowhere/libnccl.so.2"); }), HasSubstr("/nowhere/libnccl.so.2"));
  behave("old");
  EXPECT_THAT(failure_of([] { load_nccl(FERRY_FAKE_NCCL); }), HasSubstr("is NCCL 2.13.4, older than 2.14"));
}

}  // namespace
}  // namespace ferry
