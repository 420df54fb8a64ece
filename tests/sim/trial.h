#pragma once
// Schedules tried out: one, many at once, and one made as small as it can be.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "tests/sim/schedule.h"

namespace ferry::sim {

// What a schedule violates; nullopt: nothing. In a process of its own, so that also what aborts is told.
std::optional<std::string> violation_of(const Schedule& schedule);

struct Tally {
  int64_t schedules = 0;
  int64_t requests = 0;
  int64_t served = 0;  // got their whole answer
  int64_t events = 0;
};

struct Finding {
  uint64_t seed = 0;
  std::string violation;
};

// Tries the seeds [begin, end) in n_jobs processes, until one violates something. `progress` is told now and then.
struct Seeds {
  uint64_t begin = 0;
  uint64_t end = 0;
  int n_jobs = 1;
};
std::optional<Finding> try_all(const Seeds& seeds, const std::function<void(const Tally&)>& progress);

// Without what is not needed to violate the same.
Schedule shrunk(Schedule schedule);

}  // namespace ferry::sim
