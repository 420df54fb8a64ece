#pragma once
// The arrays of a step in the memory that Ops compute in: one copy a step, to places that depend on how much room the
// step is given, not on what is in it.

#include <vector>

#include "core/engine/batch.h"
#include "core/seam/device.h"
#include "core/seam/repeated_steps.h"

namespace ferry {

class DeviceBatch {
 public:
  // Takes what batches need whose room is at most `most`.
  DeviceBatch(Device& device, const StepForm& most);

  // Where there is room for more rows than the batch has, they are padding: each a sequence without pages, and with
  // logits. Sequences have a row at least.
  void assign(const Batch& batch, const StepForm& room);

  // Of the batch that was assigned, with its padding.
  const BatchView& view() const { return view_; }
  const int* tokens() const { return memory_.data(); }   // [n_rows]
  const int* logit_rows() const { return logit_rows_; }  // [n_logit_rows]
  const float* scales() const { return scales_; }        // [n_logit_rows]
  int n_logit_rows() const { return n_logit_rows_; }
  int n_best() const { return n_best_; }  // wanted of each logit row

 private:
  Device& device_;
  std::vector<int> packed_;
  DeviceArray<int> memory_;
  BatchView view_;
  const int* logit_rows_ = nullptr;
  const float* scales_ = nullptr;
  int n_logit_rows_ = 0;
  int n_best_ = 1;
};

}  // namespace ferry
