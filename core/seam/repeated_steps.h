#pragma once
// Steps that come again: the same launches, over the same places in a device's memory, with other values there.
//
// Implementations: plain (kernels/cpu), recorded as CUDA graphs (kernels/cuda).

#include <compare>
#include <cstddef>
#include <functional>

namespace ferry {

// What the launches of a step depend on where each row is a sequence's only one, but for what is in the device's
// memory: two steps of one form launch the same.
struct StepForm {
  int n_rows = 0;
  int n_pages = 0;                // of all sequences
  const std::byte* kv = nullptr;  // where the pages are
  int n_best = 1;                 // wanted of each row's logits
  auto operator<=>(const StepForm&) const = default;
};

// Runs one owner's steps, which are much alike: an implementation may record the launches of a form and replay them.
class RepeatedSteps {
 public:
  virtual ~RepeatedSteps() = default;

  // The form that a step is to be padded to: at least its own, at most the largest (Ops::repeated_steps).
  virtual StepForm padded(const StepForm& form) const = 0;

  // `launches` calls Ops, and nothing that waits or copies to the host or from it. It is not called each time: all
  // that it passes by value or points to must follow from the form.
  virtual void run(const StepForm& form, const std::function<void()>& launches) = 0;
};

}  // namespace ferry
