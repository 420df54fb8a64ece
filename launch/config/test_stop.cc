#include "launch/config/test_stop.h"

#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "core/base/error.h"

namespace ferry {

namespace {

struct Stop {
  int countdown = 0;
  int signal = 0;
};

int signal_named(const std::string& name) {
  if (name == "KILL") return SIGKILL;
  if (name == "STOP") return SIGSTOP;
  throw Error("FERRY_TEST_STOP: the signal is KILL or STOP, not " + name);
}

// Places of `who`, from "who/place/n=SIGNAL,…".
std::map<std::string, Stop, std::less<>> stops_of(const std::string& who, const std::string& all) {
  std::map<std::string, Stop, std::less<>> stops;
  std::istringstream items(all);
  for (std::string item; std::getline(items, item, ',');) {
    std::istringstream parts(item);
    std::string name, place, count, signal;
    std::getline(parts, name, '/');
    std::getline(parts, place, '/');
    std::getline(parts, count, '=');
    std::getline(parts, signal);
    if (name == who) stops[place] = {.countdown = std::atoi(count.c_str()), .signal = signal_named(signal)};
  }
  return stops;
}

}  // namespace

Milestones milestones_of(const std::string& who) {
  const char* all = std::getenv("FERRY_TEST_STOP");
  if (!all) return {};
  return Milestones([stops = stops_of(who, all)](std::string_view place) mutable {
    const auto stop = stops.find(place);
    if (stop != stops.end() && --stop->second.countdown == 0) std::raise(stop->second.signal);
  });
}

}  // namespace ferry
