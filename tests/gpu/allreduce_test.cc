// How ranks add up over their cards, for mpirun: each rank on a card of its own, or several on one by turns.

#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "parallel/cuda/card_group.h"
#include "tests/parallel/communicator_contract.h"
#include "tests/parallel/cuda/through_a_card.h"
#include "tests/parallel/mpi/ranks.h"

namespace ferry {
namespace {

using namespace std::chrono_literals;

bool shares_cards() { return session().local_ranks() > n_cuda_cards(); }

// A rank, its card, and its group.
class Cards {
 public:
  // Ranks that share a card would not use IPC by themselves.
  explicit Cards(Duration patience = 30s, AllReduceBy by = shares_cards() ? AllReduceBy::ipc : AllReduceBy::automatic)
      : host_(session().split(0)),
        ops_(make_cuda_ops({.card = session().local_rank() % n_cuda_cards()})),
        group_(make_card_group(*host_, ops_->device(),
                               {.by = by, .cards_are_shared = shares_cards(), .patience = patience})) {}

  Communicator& host() { return *host_; }
  Device& device() { return ops_->device(); }
  CardCommunicator& group() { return *group_.communicator; }
  const std::string& text() const { return group_.text; }

  std::vector<ReduceMethod> exact_methods() {  // NCCL has an order of its own
    std::vector<ReduceMethod> methods = group().methods();
    std::erase(methods, ReduceMethod::nccl);
    return methods;
  }

  std::vector<float> sum_by(ReduceMethod method, const std::vector<float>& mine) {
    const DeviceArray<float> values(device(), mine);
    group().all_reduce_sum_by(method, {values.data(), values.size()});
    return on_host(values);
  }

  std::vector<float> on_host(const DeviceArray<float>& values) {
    std::vector<float> host(values.size());
    device().download(host.data(), values.data(), values.size() * sizeof(float));
    return host;
  }

 private:
  const std::unique_ptr<Communicator> host_;
  const std::unique_ptr<Ops> ops_;
  CardGroup group_;  // ends before the ops
};

bool has(Cards& cards, ReduceMethod method) {
  const std::vector<ReduceMethod> methods = cards.group().methods();
  return std::ranges::find(methods, method) != methods.end();
}

class AllReduce : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = why_no_cuda(); !why.empty()) GTEST_SKIP() << why;
  }
};

// Not by NCCL: the order of its sums, and with it their last bits, are its own.
class Contract : public testing::TestWithParam<std::tuple<AllReduceBy, contract::Case>> {};

TEST_P(Contract, HoldsOverCards) {
  if (const std::string why = why_no_cuda(); !why.empty()) GTEST_SKIP() << why;
  const auto& [by, contract_case] = GetParam();
  Cards cards(30s, by);
  ThroughACard rank(cards.group(), cards.device());
  EXPECT_EQ(from_all_ranks(contract_case.body(rank)), "");
}

INSTANTIATE_TEST_SUITE_P(Cards, Contract,
                         testing::Combine(testing::Values(AllReduceBy::ipc, AllReduceBy::host),
                                          testing::ValuesIn(contract::kCases)),
                         [](const auto& named) {
                           return std::string(std::get<1>(named.param).name) +
                                  (std::get<0>(named.param) == AllReduceBy::ipc ? "ByIpc" : "ThroughTheHost");
                         });

TEST_F(AllReduce, EveryMethodSumsInRankOrderWhateverTheSize) {
  Cards cards;
  if (session().rank() == 0) std::printf("sums %s\n", cards.text().c_str());
  std::string wrong;
  int round = 0;
  for (const size_t n : {1, 2, 3, 4, 5, 31, 33, 1000, 4097, 65536, 100'003, 1 << 20, (2 << 20) + 5}) {
    for (const ReduceMethod method : cards.exact_methods()) {
      const std::vector<float> got = cards.sum_by(method, contract::values_of(session().rank(), ++round, n));
      const std::string bad = contract::difference(got, contract::sum_in_rank_order(session().size(), round, n));
      if (!bad.empty() && wrong.empty()) wrong = str(name_of(method), " of ", n, ": ", bad);
    }
  }
  EXPECT_EQ(from_all_ranks(wrong), "");
}

TEST_F(AllReduce, NcclGivesEveryRankTheSameBits) {
  Cards cards;
  if (!has(cards, ReduceMethod::nccl)) GTEST_SKIP() << cards.text();
  const std::vector<float> got = cards.sum_by(ReduceMethod::nccl, contract::values_of(session().rank(), 1, 100'003));
  const std::vector<float> wanted = contract::sum_in_rank_order(session().size(), 1, got.size());
  std::string wrong, first(reinterpret_cast<const char*>(got.data()), got.size() * sizeof(float));
  const std::string mine = first;
  cards.host().broadcast(first, [] {});
  if (mine != first) wrong = "not the bits of rank 0";
  for (size_t i = 0; i < got.size(); ++i) {
    if (std::abs(got[i] - wanted[i]) > 1e-5F * 4096 * static_cast<float>(session().size())) wrong = str("value ", i);
  }
  EXPECT_EQ(from_all_ranks(wrong), "");
}

// Nothing waits between the sums: a buffer that is filled while another rank still reads it would show.
TEST_F(AllReduce, AThousandSumsInARowStayApart) {
  Cards cards;
  std::string wrong;
  for (const ReduceMethod method : cards.exact_methods()) {
    if (method == ReduceMethod::staged) continue;
    constexpr int kSums = 1000;
    const auto size_of = [](int sum) { return static_cast<size_t>(1 + sum * 977 % 6000); };
    std::vector<DeviceArray<float>> sums;
    for (int sum = 0; sum < kSums; ++sum)
      sums.emplace_back(cards.device(), contract::values_of(session().rank(), sum, size_of(sum)));
    for (const DeviceArray<float>& values : sums) {
      cards.group().all_reduce_sum_by(method, {values.data(), values.size()});
    }
    for (int sum = 0; sum < kSums; ++sum) {
      const std::string bad = contract::difference(cards.on_host(sums[static_cast<size_t>(sum)]),
                                                   contract::sum_in_rank_order(session().size(), sum, size_of(sum)));
      if (!bad.empty() && wrong.empty()) wrong = str(name_of(method), ", sum ", sum, ": ", bad);
    }
  }
  EXPECT_EQ(from_all_ranks(wrong), "");
}

// A captured sequence of sums, launched again and again over new values.
class CapturedSums {
 public:
  CapturedSums(Cards& cards, std::span<float> values) : stream_(static_cast<cudaStream_t>(cards.device().stream())) {
    cudaGraph_t graph = nullptr;
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    cards.group().all_reduce_sum_by(ReduceMethod::one_shot, values);
    cards.group().all_reduce_sum_by(ReduceMethod::two_shot, values);
    cards.group().all_reduce_sum_by(ReduceMethod::one_shot, values.first(values.size() / 2));
    check(cudaStreamEndCapture(stream_, &graph));
    check(cudaGraphInstantiate(&sums_, graph, 0));
    check(cudaGraphDestroy(graph));
  }
  ~CapturedSums() { cudaGraphExecDestroy(sums_); }
  CapturedSums(const CapturedSums&) = delete;
  CapturedSums& operator=(const CapturedSums&) = delete;

  void launch() { check(cudaGraphLaunch(sums_, stream_)); }

 private:
  static void check(cudaError_t result) {
    if (result != cudaSuccess) throw Error(cudaGetErrorString(result));
  }

  const cudaStream_t stream_;
  cudaGraphExec_t sums_ = nullptr;
};

TEST_F(AllReduce, SumsInACapturedGraphGoOnCountingTheirTurns) {
  Cards cards;
  if (!has(cards, ReduceMethod::one_shot)) GTEST_SKIP() << cards.text();
  constexpr size_t n = 5000;
  const auto n_ranks = static_cast<float>(session().size());
  const DeviceArray<float> values(cards.device(), n);
  CapturedSums sums(cards, {values.data(), n});
  std::string wrong;
  for (int round = 0; round < 50; ++round) {
    cards.device().upload(values.data(), contract::values_of(session().rank(), round, n).data(), n * sizeof(float));
    sums.launch();
    // Powers of two times a sum are exact: the second and third sums add what all ranks have alike.
    std::vector<float> wanted = contract::sum_in_rank_order(session().size(), round, n);
    if (session().size() == 2) {
      for (size_t i = 0; i < n; ++i) wanted[i] *= i < n / 2 ? n_ranks * n_ranks : n_ranks;
      const std::string bad = contract::difference(cards.on_host(values), wanted);
      if (!bad.empty() && wrong.empty()) wrong = str("round ", round, ": ", bad);
    }
    // A sum outside of the graph takes its turn, too.
    const std::vector<float> between =
        cards.sum_by(ReduceMethod::one_shot, contract::values_of(session().rank(), round, 77));
    const std::string bad = contract::difference(between, contract::sum_in_rank_order(session().size(), round, 77));
    if (!bad.empty() && wrong.empty()) wrong = str("between, round ", round, ": ", bad);
  }
  EXPECT_EQ(from_all_ranks(wrong), "");
}

TEST_F(AllReduce, ARankThatDoesNotComeFailsTheOthersAtTheirDeadline) {
  if (session().size() == 1) GTEST_SKIP() << "a group of one waits for nobody";
  Cards cards(500ms);
  const int missing = session().size() - 1;
  for (const ReduceMethod method : cards.exact_methods()) {
    if (method == ReduceMethod::staged) continue;
    std::string why;
    const auto start = std::chrono::steady_clock::now();
    try {
      if (session().rank() != missing) cards.sum_by(method, {1, 2, 3});
    } catch (const Error& error) {
      why = error.what();
    }
    const auto took = std::chrono::steady_clock::now() - start;
    if (session().rank() == missing) why = "as it should be";
    const bool named = session().rank() == missing || why.find(" for rank ") != std::string::npos ||
                       why.find("for its card") != std::string::npos || why.find("failed before") != std::string::npos;
    EXPECT_EQ(from_all_ranks(named && took < 2s ? "" : str("'", why, "' after ", took / 1ms, " ms")), "");
  }
}

}  // namespace
}  // namespace ferry
