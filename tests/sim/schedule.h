#pragma once
// Everything that is decided before a simulation starts: who there is, what is asked for, and what goes wrong when. A
// plain value, so that it can be printed, written by hand, and made smaller.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/engine/engine.h"
#include "core/seam/clock.h"

namespace ferry::sim {

// A place where processes run: the groups' by their index, then the router's.
using Host = int;

struct GroupPlan {
  std::string name;
  wire::Role role = wire::Role::mixed;
  int tp = 1;
  int n_pages = 32;
  SchedulingLimits limits = {.max_batch_tokens = 12, .max_sequences = 4};
  Overlap overlap = Overlap::layers;
};

struct RequestPlan {
  Duration at{};
  Request request;  // its id is given when it is submitted
  Duration budget = std::chrono::milliseconds(300);
  std::optional<Duration> cancel_after;
};

enum class FaultKind : uint8_t {
  crash,          // the process at `a` ends at once, and starts again after `lasts`
  crash_forever,  // and does not start again
  pause,          // the process at `a` stands still, and goes on
  partition,      // nothing gets from `a` to `b` or back
  slow,           // everything between `a` and `b` takes `severity` times as long
  lose,           // `severity` of the messages between `a` and `b` get lost,
  repeat,         // or come twice,
  reorder,        // or come late, after others,
  garble,         // or come as other bytes
  break_stream,   // the control stream between `a` and the router breaks, and is dialled again
  fail,           // `severity` of the puts from `a` to `b` fail
  alter,          // `severity` of the prompts on their way from the router to `a` change a token
  corrupt,        // `severity` of the puts from `a` to `b` land with a wrong bit
  blank,          // `severity` of the rows of logits of `a` have no number
};

struct Fault {
  FaultKind kind = FaultKind::crash;
  Duration at{};
  Duration lasts{};
  Host a = 0;
  Host b = 0;
  double severity = 0;
};

struct Schedule {
  uint64_t seed = 0;  // of what is left to chance: delays
  std::vector<GroupPlan> groups;
  std::vector<RequestPlan> requests;
  std::vector<Fault> faults;
  wire::Verify verify = wire::Verify::all;
  size_t most_queued = 1 << 16;  // requests, at the router
  bool shared_memory = false;    // between groups: a process that maps memory cannot be shut out of it
  Duration detection = std::chrono::milliseconds(20);  // until a link or stream to a silent process breaks

  Host router() const { return static_cast<int>(groups.size()); }
  bool has(FaultKind kind) const;
  Duration storm_end() const;  // all faults are over, all requests have come
};

Schedule schedule_of(uint64_t seed);

std::string in_words(const Schedule& schedule);
std::string in_words(const Fault& fault, const Schedule& schedule);

}  // namespace ferry::sim
