#pragma once
// Bugs end the process: a violated assumption is printed with its place, then abort. The group is restarted from
// outside.

#include <cstdio>
#include <cstdlib>
#include <source_location>

namespace ferry {

inline void check(bool holds, const char* what, std::source_location at = std::source_location::current()) {
  if (holds) return;
  std::fprintf(stderr, "ferry: bug: %s (%s:%u in %s)\n", what, at.file_name(), static_cast<unsigned>(at.line()),
               at.function_name());
  std::abort();
}

}  // namespace ferry
