#pragma once
// What the doctor found: one line of a report.

#include <cstdint>
#include <string>
#include <vector>

namespace ferry {

struct Finding {
  enum class Level : uint8_t { ok, warning, problem, kLast = problem };

  Level level = Level::ok;
  std::string what;    // "memory"
  std::string found;   // "23.4GiB, 22GiB free"
  std::string cost;    // what it means for Ferry; empty: nothing
  std::string advice;  // what to type or change; empty: nothing
  template <class A>
  void fields(A& a) {
    a(level, what, found, cost, advice);
  }
};

struct HostReport {
  std::string host;
  std::vector<Finding> findings;
  template <class A>
  void fields(A& a) {
    a(host, findings);
  }
};

}  // namespace ferry
