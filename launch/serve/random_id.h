#pragma once
// Names of requests and answers: nobody can guess one.

#include <fmt/format.h>

#include <random>
#include <string>
#include <string_view>

namespace ferry {

// "req-" and 32 digits.
inline std::string random_id(std::string_view prefix) {
  thread_local std::mt19937_64 random(std::random_device{}());
  return fmt::format("{}-{:016x}{:016x}", prefix, random(), random());
}

}  // namespace ferry
