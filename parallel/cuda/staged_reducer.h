#pragma once
// The last resort, which needs nothing of the cards: values come to the host, are added up there, and go back.

#include <vector>

#include "core/seam/communicator.h"
#include "core/seam/device.h"
#include "parallel/cuda/reducer.h"

namespace ferry {

class StagedReducer final : public Reducer {
 public:
  // Takes `n_staged` values at a time. `host` and `device` outlive it.
  StagedReducer(Communicator& host, Device& device, size_t n_staged = size_t{1} << 20);
  ~StagedReducer() override;
  StagedReducer(const StagedReducer&) = delete;
  StagedReducer& operator=(const StagedReducer&) = delete;

  std::vector<ReduceMethod> methods() const override { return {ReduceMethod::staged}; }
  bool in_stream() const override { return false; }
  void all_reduce_sum(ReduceMethod method, std::span<float> values) override;
  void look() override {}
  void give_up() noexcept override {}

 private:
  std::span<std::byte> bytes() { return std::as_writable_bytes(std::span(staging_)); }

  Communicator& host_;
  Device& device_;
  std::vector<float> staging_;
  const bool pinned_;
};

}  // namespace ferry
