#pragma once
// Steps of Ops whose launches cost nothing beside what they do: each is launched anew, without padding.

#include "core/seam/repeated_steps.h"

namespace ferry {

class PlainSteps final : public RepeatedSteps {
 public:
  StepShape padded(const StepShape& shape) const override { return shape; }
  void run(const StepShape&, const std::function<void()>& launches) override { launches(); }
};

}  // namespace ferry
