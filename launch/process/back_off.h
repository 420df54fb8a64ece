#pragma once
// When something that ended is started again: soon the first time, later each time that it does not last.

#include <algorithm>

#include "core/seam/clock.h"

namespace ferry {

class BackOff {
 public:
  void started(Instant now) { started_ = now; }
  // When to start it again.
  Instant ended(Instant now) {
    if (now - started_ > kLasts) pause_ = kFirst;
    const Instant again = now + pause_;
    pause_ = std::min(pause_ * 2, kLongest);
    return again;
  }

 private:
  static constexpr Duration kFirst = std::chrono::milliseconds(500);
  static constexpr Duration kLongest = std::chrono::seconds(30);
  static constexpr Duration kLasts = std::chrono::seconds(60);  // what ran for longer has recovered
  Instant started_{};
  Duration pause_ = kFirst;
};

}  // namespace ferry
