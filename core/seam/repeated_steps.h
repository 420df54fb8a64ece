#pragma once
// Steps that come again: the same launches, over the same places in a device's memory, with other values there.
//
// Implementations: plain (kernels/cpu), recorded as CUDA graphs (kernels/cuda).

#include <compare>
#include <cstddef>
#include <functional>

namespace ferry {

// What the launches of a step depend on where each row is a sequence's only one, but for what is in the device's
// memory: two steps of one shape launch the same.
struct StepShape {
  int n_rows = 0;
  int n_pages = 0;                // of all sequences
  const std::byte* kv = nullptr;  // where the pages are
  int n_best = 1;                 // wanted of each row's logits
  auto operator<=>(const StepShape&) const = default;
};

// Runs one owner's steps, which are much alike: an implementation may record the launches of a shape and replay them.
class RepeatedSteps {
 public:
  virtual ~RepeatedSteps() = default;

  // The shape that a step is to be padded to: at least its own, at most the largest (Ops::repeated_steps).
  virtual StepShape padded(const StepShape& shape) const = 0;

  // `launches` calls Ops, and nothing that waits or copies to the host or from it. It is not called each time: all
  // that it passes by value or points to must follow from the shape.
  virtual void run(const StepShape& shape, const std::function<void()>& launches) = 0;
};

}  // namespace ferry
