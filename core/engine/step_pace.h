#pragma once
// How many rows a step may have so that it takes about as long as it should. A step that has begun is not broken off:
// its length is what a cancelled prompt, a new short one, and the tokens of those that decode beside it wait for.
// Learns from the steps that ran, so that the same settings suit one core and a GPU. Pure.

#include <algorithm>

#include "core/seam/clock.h"

namespace ferry {

class StepPace {
 public:
  // At most `most` rows; `target` zero: as many as that always.
  StepPace(int most, Duration target)
      : most_(most), target_(target), rows_(target.count() ? std::min(most, kFirst) : most) {}

  int rows() const { return rows_; }
  static constexpr int kLeast = 32;  // fewer hardly take less time: a step reads all weights

  // A step of n rows took that long. One with hardly any says little of what more would take, unless it was slow.
  void ran(int n, Duration took) {
    if (target_ == Duration::zero() || n == 0 || (took <= target_ && 2 * n < rows_)) return;
    const double factor = took.count() > 0 ? static_cast<double>(target_.count()) / took.count() : 2;
    rows_ = std::clamp(static_cast<int>(n * std::min(factor, 2.0)), std::min(kLeast, most_), most_);
  }

 private:
  static constexpr int kFirst = 64;  // before anything is known

  int most_;
  Duration target_;
  int rows_;
};

}  // namespace ferry
