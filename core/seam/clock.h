#pragma once
// Time, as everything but the outermost layer sees it: a steady clock in a process, a simulated one in tests.

#include <chrono>

namespace ferry {

using Duration = std::chrono::nanoseconds;
using Instant = std::chrono::time_point<std::chrono::steady_clock, Duration>;

class Clock {
 public:
  virtual ~Clock() = default;
  virtual Instant now() const = 0;  // never goes back; its origin means nothing outside this process
};

inline double ms_between(Instant from, Instant to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}
inline Duration ms(double n) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(n));
}

}  // namespace ferry
