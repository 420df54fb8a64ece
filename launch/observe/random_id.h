#pragma once
// Names of requests and answers: nobody can guess one.

#include <fmt/format.h>

#include <random>
#include <string>
#include <string_view>

namespace ferry {

// 16 hex digits. Each is drawn: those of a generator that was seeded once follow from one another.
inline std::string random_digits() {
  thread_local std::random_device random;
  return fmt::format("{:08x}{:08x}", random(), random());
}

// "req-" and 32 digits.
inline std::string random_id(std::string_view prefix) {
  return fmt::format("{}-{}{}", prefix, random_digits(), random_digits());
}

}  // namespace ferry
