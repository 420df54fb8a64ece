#pragma once
// Sums by NCCL, which is loaded when a group starts: a program starts where there is none. In a build without its
// header, no_nccl.cc stands behind this.

#include <functional>
#include <memory>
#include <string>

#include "core/seam/communicator.h"
#include "parallel/cuda/reducer.h"

namespace ferry {

// Needs what nccl.h declares; the whole of it, so that tests can give another.
class NcclLibrary;
struct CloseNccl {
  void operator()(NcclLibrary* library) const noexcept;
};
using OwnNccl = std::unique_ptr<NcclLibrary, CloseNccl>;

OwnNccl load_nccl(const std::string& path);  // Error: why it cannot be used
std::string nccl_version(const NcclLibrary& library);

struct NcclSettings {
  void* stream = nullptr;              // a cudaStream_t
  Duration patience = {};              // with the other ranks, wherever the host waits for them
  std::function<void()> look = [] {};  // called there; Error: why to wait no longer
};

// Collective: all ranks of `host`, one on each card. Error when they cannot connect in time.
std::unique_ptr<Reducer> make_nccl_reducer(OwnNccl library, Communicator& host, const NcclSettings& settings);

}  // namespace ferry
