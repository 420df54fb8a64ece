#pragma once
// What everything in a simulated world is given.

#include <stdexcept>

#include "tests/sim/log.h"
#include "tests/sim/random.h"
#include "tests/sim/weather.h"

namespace ferry::sim {

struct Surroundings {
  const Schedule& schedule;
  Timeline& timeline;
  Weather& weather;
  Random& random;
  const Log& log;
};

// Something happened that must not happen, whatever goes wrong.
class Violation : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace ferry::sim
