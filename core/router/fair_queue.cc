#include "core/router/fair_queue.h"

#include <algorithm>

#include "core/base/check.h"

namespace ferry {

namespace {

// Of those that wait, the one that is furthest behind.
template <class Lanes>
auto next_lane(Lanes& lanes) {
  auto next = lanes.end();
  for (auto lane = lanes.begin(); lane != lanes.end(); ++lane) {
    if (lane->second.waiting.empty()) continue;
    if (next == lanes.end() || lane->second.clock < next->second.clock) next = lane;
  }
  return next;
}

}  // namespace

std::string_view name_of(Priority priority) {
  switch (priority) {
    case Priority::high:
      return "high";
    case Priority::normal:
      return "normal";
    case Priority::low:
      return "low";
  }
  return {};
}

FairQueue::Lane& FairQueue::lane_of(const Tenant& tenant) {
  Level& level = levels_[static_cast<size_t>(tenant.priority)];
  Lane& lane = level.lanes[tenant.key];
  if (lane.waiting.empty()) lane.clock = std::max(lane.clock, level.clock);
  return lane;
}

bool FairQueue::push(RequestId id, const Tenant& tenant, double cost) {
  check(tenant.weight > 0 && cost > 0, "a turn costs something");
  Level& level = levels_[static_cast<size_t>(tenant.priority)];
  if (level.size >= most_) return false;
  lane_of(tenant).waiting.push_back({.id = id, .cost = cost / tenant.weight});
  ++level.size;
  return true;
}

void FairQueue::put_back(RequestId id, const Tenant& tenant, double cost) {
  Lane& lane = lane_of(tenant);
  lane.waiting.push_front({.id = id, .cost = cost / tenant.weight});
  lane.clock -= cost / tenant.weight;
  ++levels_[static_cast<size_t>(tenant.priority)].size;
}

int FairQueue::next_level() const {
  const auto* level = std::find_if(std::begin(levels_), std::end(levels_), [](const Level& l) { return l.size > 0; });
  return static_cast<int>(level - levels_);
}

std::optional<RequestId> FairQueue::front() const {
  const int level = next_level();
  if (level == kPriorities) return std::nullopt;
  return next_lane(levels_[level].lanes)->second.waiting.front().id;
}

void FairQueue::pop() {
  check(size() > 0, "somebody's turn");
  Level& level = levels_[next_level()];
  const auto entry = next_lane(level.lanes);
  Lane& lane = entry->second;
  level.clock = std::max(level.clock, lane.clock);
  lane.clock += lane.waiting.front().cost;
  lane.waiting.pop_front();
  --level.size;
  // Who waits for nothing and is owed nothing may be forgotten.
  std::erase_if(level.lanes, [&](const auto& l) { return l.second.waiting.empty() && l.second.clock <= level.clock; });
}

bool FairQueue::remove(RequestId id) {
  for (Level& level : levels_) {
    for (auto& [key, lane] : level.lanes) {
      const auto found =
          std::find_if(lane.waiting.begin(), lane.waiting.end(), [id](const Waiting& w) { return w.id == id; });
      if (found == lane.waiting.end()) continue;
      lane.waiting.erase(found);
      --level.size;
      return true;
    }
  }
  return false;
}

size_t FairQueue::size() const {
  size_t n = 0;
  for (const Level& level : levels_) n += level.size;
  return n;
}

std::vector<RequestId> FairQueue::all() const {
  std::vector<RequestId> ids;
  for (const Level& level : levels_) {
    for (const auto& [key, lane] : level.lanes) {
      for (const Waiting& w : lane.waiting) ids.push_back(w.id);
    }
  }
  return ids;
}

}  // namespace ferry
