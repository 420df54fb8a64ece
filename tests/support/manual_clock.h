#pragma once
// Time that passes when a test says so.

#include "core/seam/clock.h"

namespace ferry {

class ManualClock final : public Clock {
 public:
  Instant now() const override { return now_; }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_ = Instant() + std::chrono::hours(1);  // not where an Instant that nobody set is
};

}  // namespace ferry
