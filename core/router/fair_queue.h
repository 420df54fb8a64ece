#pragma once
// Requests that wait, and whose turn it is: those of the highest priority first, and among them the tenants share by
// weight, whoever asks for more. Start-time fair queueing (Goyal, Vin, Cheng, 1996): every tenant has a virtual clock
// that what it was given moves on by cost / weight, and the one that is furthest behind is next. Pure.

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/engine/request.h"

namespace ferry {

enum class Priority : uint8_t { high, normal, low };
constexpr int kPriorities = 3;
std::string_view name_of(Priority priority);

struct Tenant {     // who asks
  std::string key;  // its name; all without one are one tenant
  double weight = 1;
  Priority priority = Priority::normal;
};

class FairQueue {
 public:
  explicit FairQueue(size_t most) : most_(most) {}  // of each priority

  // cost: in what is shared, here tokens. False: too many of that priority wait.
  bool push(RequestId id, const Tenant& tenant, double cost);
  std::optional<RequestId> front() const;  // whose turn it is
  void pop();
  // What was popped could not be served after all: it is the first of its tenant again, and was given nothing.
  void put_back(RequestId id, const Tenant& tenant, double cost);
  bool remove(RequestId id);

  size_t size() const;
  size_t size(Priority priority) const { return levels_[static_cast<size_t>(priority)].size; }
  std::vector<RequestId> all() const;

 private:
  struct Waiting {
    RequestId id = 0;
    double cost = 0;  // by weight
  };
  struct Lane {  // of one tenant
    std::deque<Waiting> waiting;
    double clock = 0;
  };
  struct Level {
    std::map<std::string, Lane> lanes;
    double clock = 0;  // where the lane was that was served last: who comes anew begins there, and has saved up nothing
    size_t size = 0;
  };
  Lane& lane_of(const Tenant& tenant);
  int next_level() const;  // kPriorities: nothing waits

  const size_t most_;
  Level levels_[kPriorities];
};

}  // namespace ferry
