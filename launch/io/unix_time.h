#pragma once
// The time of day, as others count it.

#include <chrono>
#include <cstdint>

namespace ferry {

inline int64_t unix_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

}  // namespace ferry
