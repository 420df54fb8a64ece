#pragma once
// Steps that come again, as CUDA graphs: a step of hundreds of launches costs the host one. A form is run plainly at
// first (a kernel is loaded at its first launch, and that cannot be recorded), recorded when it comes again, and
// replayed from then on.

#include <cstdint>
#include <map>

#include "core/seam/repeated_steps.h"
#include "kernels/cuda/runtime.h"

namespace ferry::cuda {

class RecordedSteps final : public RepeatedSteps {
 public:
  RecordedSteps(Stream stream, const StepForm& most) : stream_(stream), most_(most) {}
  RecordedSteps(const RecordedSteps&) = delete;
  RecordedSteps& operator=(const RecordedSteps&) = delete;
  ~RecordedSteps() override;

  StepForm padded(const StepForm& form) const override;
  void run(const StepForm& form, const std::function<void()>& launches) override;

 private:
  struct Known {
    Graph graph;  // none at first
    int64_t last_run = 0;
  };

  Graph record(const std::function<void()>& launches) const;
  void forget_oldest();

  const Stream stream_;
  const StepForm most_;
  std::map<StepForm, Known> known_;
  int64_t n_runs_ = 0;
};

}  // namespace ferry::cuda
