#pragma once
// A window of each rank of a group, in its card's memory, mapped by all the others: for groups on one host.

#include <memory>
#include <string>

#include "core/seam/communicator.h"
#include "parallel/cuda/nvcc/all_reduce.h"

namespace ferry::cuda {

class IpcWindows {
 public:
  // Collective. Without windows, why_not() is the same on every rank.
  explicit IpcWindows(Communicator& host);
  ~IpcWindows();
  IpcWindows(const IpcWindows&) = delete;
  IpcWindows& operator=(const IpcWindows&) = delete;

  const std::string& why_not() const { return why_not_; }  // empty: there are windows

  static constexpr size_t kBufferBytes = size_t{8} << 20;  // 512 rows of 4096 values
  AllReduceLaunch launch() const;                          // but for the values
  HostWords& words() const { return *words_; }

 private:
  std::string exchange(Communicator& host);
  std::string map(int peer, const std::string& handle);

  const int rank_;
  const int n_ranks_;
  std::byte* windows_[kMostRanks] = {};  // by rank
  HostWords* words_ = nullptr;
  std::string why_not_;
};

}  // namespace ferry::cuda
