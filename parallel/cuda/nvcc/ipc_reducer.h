#pragma once
// Sums through windows (all_reduce.h).

#include "parallel/cuda/nvcc/ipc_windows.h"
#include "parallel/cuda/reducer.h"

namespace ferry::cuda {

class IpcReducer final : public Reducer {
 public:
  // `stream` is a cudaStream_t; nothing there waits longer than `patience` for another rank.
  IpcReducer(std::unique_ptr<IpcWindows> windows, void* stream, Duration patience)
      : windows_(std::move(windows)), stream_(stream), patience_(patience) {}

  std::vector<ReduceMethod> methods() const override { return {ReduceMethod::one_shot, ReduceMethod::two_shot}; }
  bool in_stream() const override { return true; }
  void all_reduce_sum(ReduceMethod method, std::span<float> values) override;
  void look() override;
  void give_up() noexcept override { windows_->words().give_up = 1; }

 private:
  const std::unique_ptr<IpcWindows> windows_;
  void* const stream_;
  const Duration patience_;
};

}  // namespace ferry::cuda
