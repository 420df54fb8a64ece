#include "parallel/cuda/nvcc/ipc_windows.h"

#include <cuda_runtime_api.h>

#include <cstring>

#include "core/base/codec.h"
#include "parallel/cuda/nvcc/demand.h"
#include "parallel/shared_bytes.h"

namespace ferry::cuda {

namespace {

struct Offer {
  std::string why_not;  // this rank has none
  std::string card;     // as the runtime of any process finds it: 0000:3b:00.0
  std::string handle;

  template <class A>
  void fields(A& a) {
    a(why_not, card, handle);
  }
};

std::string failure_of(cudaError_t result) {
  if (result == cudaSuccess) return "";
  cudaGetLastError();
  return cudaGetErrorString(result);
}

std::string own_bus_id() {
  int card = 0;
  char bus_id[32] = {};
  demand(cudaGetDevice(&card), "no card is in use");
  demand(cudaDeviceGetPCIBusId(bus_id, sizeof bus_id, card), "a card does not say where it is");
  return bus_id;
}

// Cards that this process does not see cannot be asked about; mapping their memory is tried out.
std::string why_unreachable(const std::string& bus_id) {
  int own = 0, other = 0, can = 0;
  demand(cudaGetDevice(&own), "no card is in use");
  if (cudaDeviceGetByPCIBusId(&other, bus_id.c_str()) != cudaSuccess) {
    cudaGetLastError();
    return "";
  }
  if (other == own) return "";
  demand(cudaDeviceCanAccessPeer(&can, own, other), "a card does not say whom it can reach");
  return can != 0 ? "" : str("its card cannot read the memory of the one at ", bus_id);
}

}  // namespace

IpcWindows::IpcWindows(Communicator& host) : rank_(host.rank()), n_ranks_(host.size()) {
  demand(
      cudaHostAlloc(reinterpret_cast<void**>(&words_), sizeof(HostWords), cudaHostAllocMapped | cudaHostAllocPortable),
      "no memory of the host that a card sees");
  words_->give_up = 0;
  words_->missing = 0;
  why_not_ = n_ranks_ > kMostRanks ? str("more than ", kMostRanks, " ranks") : exchange(host);
}

// What comes of the mappings is said by all: the answer is the same everywhere.
std::string IpcWindows::exchange(Communicator& host) {
  constexpr size_t kBytes = kHeadBytes + 2 * kBufferBytes;
  Offer offer = {.why_not = {}, .card = own_bus_id(), .handle = std::string(sizeof(cudaIpcMemHandle_t), '\0')};
  cudaIpcMemHandle_t handle{};
  std::byte*& window = windows_[rank_];
  offer.why_not = failure_of(cudaMalloc(reinterpret_cast<void**>(&window), kBytes));
  if (offer.why_not.empty()) offer.why_not = failure_of(cudaMemset(window, 0, kHeadBytes));
  if (offer.why_not.empty()) offer.why_not = failure_of(cudaDeviceSynchronize());  // zero before anybody writes there
  if (offer.why_not.empty()) offer.why_not = failure_of(cudaIpcGetMemHandle(&handle, window));
  std::memcpy(offer.handle.data(), &handle, sizeof handle);

  std::string why_not;
  const std::vector<std::string> offers = shared_bytes(host, pack(offer));
  for (int peer = 0; peer < n_ranks_ && why_not.empty(); ++peer) {
    const auto other = unpack<Offer>(offers[static_cast<size_t>(peer)]);
    if (!other) throw Error(str("rank ", peer, " offers no window"));
    why_not = other->why_not.empty() ? why_unreachable(other->card) : str("of rank ", peer, ": ", other->why_not);
    if (why_not.empty() && peer != rank_) why_not = map(peer, other->handle);
  }
  return shared_reason(host, why_not);
}

std::string IpcWindows::map(int peer, const std::string& bytes) {
  cudaIpcMemHandle_t handle{};
  std::memcpy(&handle, bytes.data(), std::min(bytes.size(), sizeof handle));
  void* mapped = nullptr;
  const std::string failure = failure_of(cudaIpcOpenMemHandle(&mapped, handle, cudaIpcMemLazyEnablePeerAccess));
  if (!failure.empty()) return str("the memory of rank ", peer, "'s card cannot be mapped: ", failure);
  windows_[peer] = static_cast<std::byte*>(mapped);
  return "";
}

IpcWindows::~IpcWindows() {
  for (int peer = 0; peer < std::min(n_ranks_, kMostRanks); ++peer) {
    if (peer != rank_ && windows_[peer] != nullptr) cudaIpcCloseMemHandle(windows_[peer]);
  }
  if (rank_ < kMostRanks) cudaFree(windows_[rank_]);
  cudaFreeHost(words_);
}

AllReduceLaunch IpcWindows::launch() const {
  AllReduceLaunch launch = {.buffer_bytes = kBufferBytes, .rank = rank_, .n_ranks = n_ranks_, .words = words_};
  std::copy(std::begin(windows_), std::end(windows_), std::begin(launch.windows));
  return launch;
}

}  // namespace ferry::cuda
