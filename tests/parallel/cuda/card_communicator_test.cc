#include "parallel/cuda/card_communicator.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/base/error.h"
#include "parallel/cuda/staged_reducer.h"
#include "parallel/solo.h"
#include "parallel/threads.h"
#include "tests/parallel/communicator_contract.h"
#include "tests/parallel/cuda/fake_card.h"
#include "tests/parallel/cuda/through_a_card.h"

namespace ferry {
namespace {

using namespace std::chrono_literals;

// Small, so that sums come in several parts.
std::unique_ptr<Reducer> staged(Communicator& host, Device& card) {
  return std::make_unique<StagedReducer>(host, card, 1000);
}

CardCommunicator::Parts parts_of(Communicator& host, std::unique_ptr<Reducer> reducer) {
  CardCommunicator::Parts parts{.peers = std::make_unique<PeerProcesses>(host), .reducers = {}};
  parts.reducers.push_back(std::move(reducer));
  return parts;
}

class CardContract : public testing::TestWithParam<std::tuple<int, contract::Case>> {};

TEST_P(CardContract, HoldsThroughTheHost) {
  ThreadGroup group(std::get<0>(GetParam()));
  group.run([&](Communicator& host) {
    FakeCard card;
    CardCommunicator cards(host, card, parts_of(host, staged(host, card)));
    ThroughACard rank(cards, card);
    EXPECT_EQ(std::get<1>(GetParam()).body(rank), "") << "on rank " << rank.rank();
    EXPECT_FALSE(rank.in_stream());
  });
}

INSTANTIATE_TEST_SUITE_P(Threads, CardContract,
                         testing::Combine(testing::Values(1, 2, 3), testing::ValuesIn(contract::kCases)),
                         [](const auto& named) {
                           return std::get<1>(named.param).name + std::to_string(std::get<0>(named.param));
                         });

// Adds nothing up; says what is asked of it, and fails when it is told to.
struct Said {
  std::vector<std::pair<ReduceMethod, size_t>> sums;  // and their bytes
  bool gave_up = false;
  std::string failure;
};
class SayingReducer final : public Reducer {
 public:
  SayingReducer(std::vector<ReduceMethod> methods, Said& said) : methods_(std::move(methods)), said_(said) {}
  std::vector<ReduceMethod> methods() const override { return methods_; }
  bool in_stream() const override { return true; }
  void all_reduce_sum(ReduceMethod method, std::span<float> values) override {
    said_.sums.emplace_back(method, values.size_bytes());
  }
  void look() override {
    if (!said_.failure.empty()) throw Error(said_.failure);
  }
  void give_up() noexcept override { said_.gave_up = true; }

 private:
  const std::vector<ReduceMethod> methods_;
  Said& said_;
};

TEST(CardCommunicator, RanksTakeTheWayThatRankZeroMeasured) {
  ThreadGroup group(3);
  std::vector<ReducePlan> plans(3);
  group.run([&](Communicator& host) {
    FakeCard card;
    Said said;
    auto reducer = std::make_unique<SayingReducer>(std::vector{ReduceMethod::one_shot, ReduceMethod::two_shot}, said);
    CardCommunicator cards(host, card, parts_of(host, std::move(reducer)));
    plans[static_cast<size_t>(host.rank())] = cards.plan();
    EXPECT_EQ(card.n_allocations(), 0U) << "what measuring took is given back";
    EXPECT_TRUE(cards.in_stream());
    for (const size_t n : {1UL, 5000UL, 5000000UL}) {
      const DeviceArray<float> values(card, n);
      cards.all_reduce_sum({values.data(), n});
      EXPECT_EQ(said.sums.back(), std::pair(cards.plan().method_for(n * sizeof(float)), n * sizeof(float)));
    }
    const size_t n_sums = said.sums.size();
    cards.all_reduce_sum({});
    EXPECT_EQ(said.sums.size(), n_sums) << "nothing to add up is nothing to launch";
  });
  EXPECT_EQ(plans[1], plans[0]);
  EXPECT_EQ(plans[2], plans[0]);
}

TEST(CardCommunicator, ThroughTheHostIsNotMeasuredWhereThereIsAnotherWay) {
  SoloCommunicator host;
  FakeCard card;
  Said said;
  auto parts = parts_of(host, std::make_unique<SayingReducer>(std::vector{ReduceMethod::nccl}, said));
  parts.reducers.push_back(staged(host, card));
  const CardCommunicator cards(host, card, std::move(parts));
  EXPECT_EQ(cards.plan(), (ReducePlan{{{.method = ReduceMethod::nccl}}}));
  EXPECT_TRUE(cards.in_stream());
  EXPECT_EQ(cards.methods(), (std::vector{ReduceMethod::nccl, ReduceMethod::staged}));
}

TEST(CardCommunicator, ASumThatFailsOnTheCardEndsTheWaitForItAndEveryOther) {
  SoloCommunicator host;
  FakeCard card;
  Said failing, other;
  auto parts = parts_of(host, std::make_unique<SayingReducer>(std::vector{ReduceMethod::one_shot}, failing));
  parts.reducers.push_back(std::make_unique<SayingReducer>(std::vector{ReduceMethod::nccl}, other));
  CardCommunicator cards(host, card, std::move(parts));
  const DeviceArray<float> values(card, 8);
  cards.all_reduce_sum({values.data(), 8});
  failing.failure = "rank 1 did not come";
  float value = 0;
  EXPECT_THROW(card.download(&value, values.data(), sizeof value), Error);
  EXPECT_TRUE(failing.gave_up);
  EXPECT_TRUE(other.gave_up);
  EXPECT_THROW(cards.all_reduce_sum_by(ReduceMethod::one_shot, {values.data(), 8}), Error);
}

// A card that is never done; time passes for its waits only.
void wait_for_ever(const Device::Look& look) {
  for (Duration waited{};; waited += 1ms) look(waited);
}

std::string failure_of(FakeCard& card, float* values) {
  try {
    float value = 0;
    card.download(&value, values, sizeof value);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(CardCommunicator, ACardThatIsNeverDoneIsWaitedForAsLongAsWasSaid) {
  SoloCommunicator host;
  FakeCard card;
  Said said;
  auto parts = parts_of(host, std::make_unique<SayingReducer>(std::vector{ReduceMethod::one_shot}, said));
  parts.patience = 3s;
  const CardCommunicator cards(host, card, std::move(parts));
  const DeviceArray<float> values(card, 8);
  card.on_wait = wait_for_ever;
  EXPECT_EQ(failure_of(card, values.data()),
            "rank 0 of 1 waited 3.001 s for its card, which may wait for another rank's");
  EXPECT_TRUE(said.gave_up);
}

TEST(CardCommunicator, ARankThatWaitsForItsCardSeesThatAnotherHasEnded) {
  const pid_t child = fork();
  if (child == 0) {
    while (true) pause();
  }
  SoloCommunicator host;
  FakeCard card;
  Said said;
  auto parts = parts_of(host, std::make_unique<SayingReducer>(std::vector{ReduceMethod::one_shot}, said));
  parts.peers = std::make_unique<PeerProcesses>(std::vector<RankProcess>{{.rank = 1, .process = child}});
  const CardCommunicator cards(host, card, std::move(parts));
  const DeviceArray<float> values(card, 8);
  card.on_wait = [&](const Device::Look& look) {
    look(1s);  // it lives
    kill(child, SIGKILL);
    siginfo_t ended;
    waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);  // and is not buried: mpirun has not looked yet
    wait_for_ever(look);
  };
  EXPECT_EQ(failure_of(card, values.data()), str("rank 1 of the group has ended (process ", child, ")"));
  EXPECT_TRUE(said.gave_up);
  waitpid(child, nullptr, 0);
}

TEST(CardCommunicator, NobodyLeavesWhileOthersMayReadItsMemory) {
  ThreadGroup group(2);
  std::atomic<bool> slow_one_is_done = false;
  group.run([&](Communicator& host) {
    FakeCard card;
    Said said;
    {
      const CardCommunicator cards(
          host, card, parts_of(host, std::make_unique<SayingReducer>(std::vector{ReduceMethod::one_shot}, said)));
      if (host.rank() == 1) slow_one_is_done = true;
    }
    EXPECT_TRUE(slow_one_is_done);
    EXPECT_FALSE(said.gave_up);
  });
}

TEST(CardCommunicator, AnExceptionLeavesAtOnceAndNothingOnTheCardWaitsOn) {
  ThreadGroup group(2);
  Said said[2];
  const auto fail = [&](Communicator& host) {
    FakeCard card;
    Said& mine = said[host.rank()];
    const CardCommunicator cards(
        host, card, parts_of(host, std::make_unique<SayingReducer>(std::vector{ReduceMethod::one_shot}, mine)));
    if (host.rank() == 1) throw Error("CUDA: a step failed: unspecified launch failure");
  };
  try {
    group.run(fail);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "CUDA: a step failed: unspecified launch failure");
  }
  EXPECT_TRUE(said[0].gave_up);
  EXPECT_TRUE(said[1].gave_up);
}

}  // namespace
}  // namespace ferry
