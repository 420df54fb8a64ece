#pragma once
// How much of something there was lately, second by second.

#include <array>
#include <vector>

#include "core/seam/clock.h"

namespace ferry {

class Recent {
 public:
  static constexpr int kSeconds = 120;  // that are remembered

  void add(double amount, Instant now);
  double per_second(Instant now) const;  // over the last kWindow whole seconds
  // Of the last kSeconds whole seconds, the latest last.
  std::vector<double> history(Instant now) const;

 private:
  static constexpr int kWindow = 5;
  static int64_t second_of(Instant now);
  double in(int64_t second) const;

  struct Slot {
    int64_t second = -1;
    double amount = 0;
  };
  std::array<Slot, kSeconds + 1> slots_;  // one more is being filled
};

}  // namespace ferry
