#include "launch/observe/recent.h"

#include <chrono>

namespace ferry {

int64_t Recent::second_of(Instant now) {
  return std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count();
}

void Recent::add(double amount, Instant now) {
  const int64_t second = second_of(now);
  Slot& slot = slots_[static_cast<size_t>(second) % slots_.size()];
  if (slot.second != second) slot = {.second = second};
  slot.amount += amount;
}

double Recent::in(int64_t second) const {
  if (second < 0) return 0;
  const Slot& slot = slots_[static_cast<size_t>(second) % slots_.size()];
  return slot.second == second ? slot.amount : 0;
}

double Recent::per_second(Instant now) const {
  double sum = 0;
  for (int64_t ago = 1; ago <= kWindow; ++ago) sum += in(second_of(now) - ago);
  return sum / kWindow;
}

std::vector<double> Recent::history(Instant now) const {
  std::vector<double> amounts;
  for (int64_t ago = kSeconds; ago >= 1; --ago) amounts.push_back(in(second_of(now) - ago));
  return amounts;
}

}  // namespace ferry
