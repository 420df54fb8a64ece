#pragma once
// The arrays of a step in the memory that Ops compute in: one copy a step.

#include <vector>

#include "core/engine/batch.h"
#include "core/seam/device.h"

namespace ferry {

class DeviceBatch {
 public:
  explicit DeviceBatch(Device& device) : device_(device) {}

  // Allocates where no batch before was as large.
  void assign(const Batch& batch);

  // Of the batch that was assigned.
  const BatchView& view() const { return view_; }
  const int* tokens() const { return tokens_; }          // [n_rows]
  const int* logit_rows() const { return logit_rows_; }  // [n logit rows]
  const float* scales() const { return scales_; }        // [n logit rows], where the batch has them

 private:
  Device& device_;
  std::vector<int> packed_;
  DeviceArray<int> memory_;
  BatchView view_;
  const int* tokens_ = nullptr;
  const int* logit_rows_ = nullptr;
  const float* scales_ = nullptr;
};

}  // namespace ferry
