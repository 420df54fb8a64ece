#include "parallel/cuda/card_group.h"

#include <functional>

#include "core/base/error.h"
#include "parallel/cuda/nccl_reducer.h"
#include "parallel/cuda/nvcc/ipc_reducer.h"
#include "parallel/cuda/staged_reducer.h"
#include "parallel/shared_bytes.h"

namespace ferry {

namespace {

std::string failure_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

// Finds out what the group has, a method at a time, and why it has not the others.
class Assembly {
 public:
  Assembly(Communicator& host, Device& device, const CardGroupSettings& settings)
      : host_(host),
        device_(device),
        settings_(settings),
        // A card that gives up says for whom it waited: it does so first.
        parts_{.peers = std::make_unique<PeerProcesses>(host), .reducers = {}, .patience = settings.patience * 5 / 4} {}

  // Where ranks take turns on a card, who waits on it uses up the time that the others need: that is for trying out.
  void add_ipc() {
    if (settings_.cards_are_shared && settings_.by == AllReduceBy::automatic) return lacks("IPC", "ranks share a card");
    auto windows = std::make_unique<cuda::IpcWindows>(host_);
    if (!windows->why_not().empty()) return lacks("IPC", windows->why_not());
    parts_.reducers.push_back(
        std::make_unique<cuda::IpcReducer>(std::move(windows), device_.stream(), settings_.patience));
  }

  // A group that has another way does not end because NCCL cannot connect; one that has not does, and each rank says
  // what it saw.
  void add_nccl() {
    if (settings_.cards_are_shared) return lacks("NCCL", "ranks share a card");
    OwnNccl library;
    std::string why_not = failure_of([&] { library = load_nccl(settings_.nccl_library); });
    why_not = shared_reason(host_, why_not);
    if (!why_not.empty()) return lacks("NCCL", why_not);
    const NcclSettings nccl = {.stream = device_.stream(),
                               .patience = settings_.patience,
                               .look = [&peers = *parts_.peers] { peers.check_alive(); }};
    std::unique_ptr<Reducer> reducer;
    why_not = failure_of([&] { reducer = make_nccl_reducer(std::move(library), host_, nccl); });
    if (!why_not.empty() && !has_any()) throw Error(why_not);
    why_not = shared_reason(host_, why_not);
    if (!why_not.empty()) return lacks("NCCL", why_not);
    parts_.reducers.push_back(std::move(reducer));
  }

  void add_host() { parts_.reducers.push_back(std::make_unique<StagedReducer>(host_, device_)); }

  bool has_any() const { return !parts_.reducers.empty(); }
  const std::string& lacking() const { return lacking_; }

  CardGroup finish() {
    auto group = std::make_unique<CardCommunicator>(host_, device_, std::move(parts_));
    std::string text = group->plan().text() + lacking_;
    return {.communicator = std::move(group), .text = std::move(text)};
  }

 private:
  void lacks(const char* what, const std::string& why) { lacking_ += str("; no ", what, ": ", why); }

  Communicator& host_;
  Device& device_;
  const CardGroupSettings& settings_;
  CardCommunicator::Parts parts_;
  std::string lacking_;
};

}  // namespace

CardGroup make_card_group(Communicator& host, Device& device, const CardGroupSettings& settings) {
  Assembly assembly(host, device, settings);
  const AllReduceBy by = settings.by;
  if (by == AllReduceBy::automatic || by == AllReduceBy::ipc) assembly.add_ipc();
  if (by == AllReduceBy::automatic || by == AllReduceBy::nccl) assembly.add_nccl();
  if (!assembly.has_any() && by != AllReduceBy::automatic && by != AllReduceBy::host)
    throw Error(str("the ranks of this group cannot add up as cuda.all_reduce wants", assembly.lacking()));
  if (by == AllReduceBy::automatic || by == AllReduceBy::host) assembly.add_host();
  return assembly.finish();
}

}  // namespace ferry
