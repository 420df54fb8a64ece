#pragma once
// Bugs end the process: a violated assumption is printed with its place, then abort. The group is restarted from
// outside.

#include <cstdio>
#include <cstdlib>

namespace ferry {

// The place is the caller's. These built-ins are what std::source_location is made of; clang 14, which builds the
// fuzzers, does not have the latter.
inline void check(bool holds, const char* what, const char* file = __builtin_FILE(), int line = __builtin_LINE(),
                  const char* function = __builtin_FUNCTION()) {
  if (holds) return;
  std::fprintf(stderr, "ferry: bug: %s (%s:%d in %s)\n", what, file, line, function);
  std::abort();
}

}  // namespace ferry
