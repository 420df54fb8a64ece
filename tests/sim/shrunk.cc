#include <algorithm>
#include <vector>

#include "tests/sim/trial.h"

namespace ferry::sim {

namespace {

// Numbers differ when less happens.
std::string without_digits(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

Schedule without_group(Schedule s, Host gone) {
  s.groups.erase(s.groups.begin() + gone);
  std::erase_if(s.faults, [gone](const Fault& f) { return f.a == gone || f.b == gone; });
  for (Fault& f : s.faults) {
    f.a -= f.a > gone;
    f.b -= f.b > gone;
  }
  return s;
}

// Schedules with one thing less, or one thing simpler.
std::vector<Schedule> smaller(const Schedule& s) {
  std::vector<Schedule> all;
  for (Host g = 0; g < s.router(); ++g) all.push_back(without_group(s, g));
  for (size_t i = 0; i < s.requests.size(); ++i) {
    all.push_back(s);
    all.back().requests.erase(all.back().requests.begin() + i);
  }
  for (size_t i = 0; i < s.faults.size(); ++i) {
    all.push_back(s);
    all.back().faults.erase(all.back().faults.begin() + i);
  }
  for (size_t i = 0; i < s.groups.size(); ++i) {
    if (s.groups[i].tp == 1) continue;
    all.push_back(s);
    --all.back().groups[i].tp;
  }
  for (size_t i = 0; i < s.requests.size(); ++i) {
    if (!s.requests[i].cancel_after) continue;
    all.push_back(s);
    all.back().requests[i].cancel_after.reset();
  }
  return all;
}

}  // namespace

Schedule shrunk(Schedule schedule) {
  const auto violation = violation_of(schedule);
  if (!violation) return schedule;
  const std::string wanted = without_digits(*violation);
  for (;;) {
    const std::vector<Schedule> candidates = smaller(schedule);
    const auto found = std::find_if(candidates.begin(), candidates.end(), [&](const Schedule& candidate) {
      const auto other = violation_of(candidate);
      return other && without_digits(*other) == wanted;
    });
    if (found == candidates.end()) return schedule;
    schedule = *found;
  }
}

}  // namespace ferry::sim
