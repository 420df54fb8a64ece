#include "parallel/cuda/card_communicator.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/base/error.h"
#include "parallel/shared_bytes.h"

namespace ferry {

CardCommunicator::CardCommunicator(Communicator& host, Device& device, Parts parts)
    : host_(host), device_(device), parts_(std::move(parts)) {
  check(!parts_.reducers.empty(), "there is a way to add up");
  device_.watch(this, [this](Duration waited) { look(waited); });
  try {
    plan_ = measured();
  } catch (...) {
    device_.watch(this, {});
    throw;
  }
}

// The others may still read what this rank's card offered them: nobody leaves before all are done. Where something
// failed nobody can be waited for, and this rank's card must not wait either.
CardCommunicator::~CardCommunicator() {
  if (std::uncaught_exceptions() > n_exceptions_) {
    give_up();
  } else {
    try {
      shared_bytes(host_, {});
    } catch (const Error&) {
      give_up();  // another rank failed, and says why itself
    }
  }
  device_.watch(this, {});
}

void CardCommunicator::all_reduce_sum(std::span<float> values) {
  if (!values.empty()) all_reduce_sum_by(plan_.method_for(values.size_bytes()), values);
}

void CardCommunicator::all_reduce_sum_by(ReduceMethod method, std::span<float> values) {
  Reducer& reducer = reducer_of(method);
  try {
    reducer.look();
    reducer.all_reduce_sum(method, values);
  } catch (const Error&) {
    give_up();
    throw;
  }
}

bool CardCommunicator::in_stream() const {
  return std::ranges::all_of(plan_.choices,
                             [this](const ReduceChoice& choice) { return reducer_of(choice.method).in_stream(); });
}

std::vector<ReduceMethod> CardCommunicator::methods() const {
  std::vector<ReduceMethod> methods;
  for (const auto& reducer : parts_.reducers) {
    for (const ReduceMethod method : reducer->methods()) methods.push_back(method);
  }
  return methods;
}

// Asking the kernel for each look would slow the looks down: it is asked when a wait is long, and then now and again.
void CardCommunicator::look(Duration waited) {
  constexpr Duration kTurn = std::chrono::milliseconds(20);
  try {
    for (const auto& reducer : parts_.reducers) reducer->look();
    const int64_t turn = waited / kTurn;
    if (turn > 0 && turn != last_look_) parts_.peers->check_alive();
    last_look_ = turn;
    if (waited > parts_.patience) {
      throw Error(str("rank ", rank(), " of ", size(), " waited ", std::chrono::duration<double>(waited).count(),
                      " s for its card, which may wait for another rank's"));
    }
  } catch (const Error&) {
    give_up();
    throw;
  }
}

// Through the host is for groups that have nothing else. Rank 0's times count: all have to choose the same.
ReducePlan CardCommunicator::measured() {
  constexpr size_t kSmallest = 4 << 10, kLargest = 4 << 20;  // bytes; a decode step of one to a prefill of many tokens
  std::vector<ReduceMethod> methods = this->methods();
  if (methods.size() > 1) std::erase(methods, ReduceMethod::staged);
  if (methods.size() == 1) return {{{.method = methods[0]}}};
  const DeviceArray<float> values(device_, std::vector<float>(kLargest / sizeof(float)));
  std::vector<ReduceTiming> timings;
  for (size_t n_bytes = kSmallest; n_bytes <= kLargest; n_bytes *= 4) {
    for (const ReduceMethod method : methods) {
      const double seconds = seconds_of(method, {values.data(), n_bytes / sizeof(float)});
      timings.push_back({.method = method, .n_bytes = n_bytes, .seconds = seconds});
    }
  }
  std::string bytes = pack(plan_of(timings));
  host_.broadcast(bytes, [] {});
  auto plan = unpack<ReducePlan>(bytes);
  check(plan.has_value(), "rank 0 broadcasts its plan");
  return *plan;
}

double CardCommunicator::seconds_of(ReduceMethod method, std::span<float> values) {
  constexpr int kRounds = 8;
  const auto run = [&](int n_rounds) {
    for (int round = 0; round < n_rounds; ++round) all_reduce_sum_by(method, values);
    float waited_for = 0;
    device_.download(&waited_for, values.data(), sizeof waited_for);
  };
  run(2);  // connects, and brings the ranks together
  const auto start = std::chrono::steady_clock::now();
  run(kRounds);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / kRounds;
}

Reducer& CardCommunicator::reducer_of(ReduceMethod method) const {
  const auto found = std::ranges::find_if(parts_.reducers, [&](const auto& reducer) {
    const std::vector<ReduceMethod> methods = reducer->methods();
    return std::ranges::find(methods, method) != methods.end();
  });
  check(found != parts_.reducers.end(), "a group adds up only in the ways that it has");
  return **found;
}

void CardCommunicator::give_up() noexcept {
  for (const auto& reducer : parts_.reducers) reducer->give_up();
}

}  // namespace ferry
