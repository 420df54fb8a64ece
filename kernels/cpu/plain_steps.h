#pragma once
// Steps of Ops whose launches cost nothing beside what they do: each is launched anew, without padding.

#include "core/seam/repeated_steps.h"

namespace ferry {

class PlainSteps final : public RepeatedSteps {
 public:
  StepForm padded(const StepForm& form) const override { return form; }
  void run(const StepForm&, const std::function<void()>& launches) override { launches(); }
};

}  // namespace ferry
