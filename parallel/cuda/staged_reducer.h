#pragma once
// The last resort, which needs nothing of the cards: values come to the host, are added up there, and go back.

#include <memory>

#include "core/seam/communicator.h"
#include "core/seam/device.h"
#include "parallel/cuda/reducer.h"

namespace ferry {

// Memory of the host, best such that a card reads and writes it itself.
struct Staging {
  std::unique_ptr<float[], void (*)(float*)> values;  // [n]
  size_t n = 0;
};

inline Staging pageable_staging(size_t n) {
  return {.values = {new float[n], [](float* values) { delete[] values; }}, .n = n};
}

class StagedReducer final : public Reducer {
 public:
  // `host` and `device` outlive it.
  StagedReducer(Communicator& host, Device& device, Staging staging)
      : host_(host), device_(device), staging_(std::move(staging)) {}

  std::vector<ReduceMethod> methods() const override { return {ReduceMethod::staged}; }
  bool in_stream() const override { return false; }
  void all_reduce_sum(ReduceMethod method, std::span<float> values) override;
  void look() override {}
  void give_up() noexcept override {}

 private:
  Communicator& host_;
  Device& device_;
  const Staging staging_;
};

}  // namespace ferry
