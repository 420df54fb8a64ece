#pragma once
// Which prefill groups can hand KV to which decode groups: introduces them to each other, judges the path that they
// measured, and introduces them again, later and later, when a path breaks. Pure.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/seam/clock.h"
#include "core/seam/control_stream.h"
#include "core/wire/messages.h"

namespace ferry {

struct PathRules {
  bool require_rdma = false;
  double min_gb_per_s = 0;
};

struct PairReport {
  std::string prefill, decode;
  std::string transport;  // empty: of a mixed group, from itself to itself; or not known yet
  wire::Speed there, back;
  bool ready = false;
  uint64_t which = 0;  // another one each time that the two meet
};

class Pairs {
 public:
  Pairs(PathRules rules, uint64_t router_epoch, const Clock& clock)
      : rules_(rules), epoch_(router_epoch), clock_(clock) {}

  void join(StreamId prefill, StreamId decode, const wire::GroupInfo& from, const wire::GroupInfo& to);
  void leave(StreamId stream, const std::string& why);
  void tick();

  void opened(StreamId stream, const wire::Opened& message);
  // Why the path is refused, where it is, and that was not said before.
  std::optional<std::string> paired(StreamId decode, const wire::Paired& message);
  // The pair that this breaks, if there is one.
  std::optional<std::pair<StreamId, StreamId>> unpaired(StreamId stream, const wire::Unpaired& message);
  void broke(StreamId prefill, StreamId decode, const std::string& why);

  struct Pair {
    StreamId prefill = 0, decode = 0;
    wire::Pairing pairing = 0;  // 0: not introduced now
    bool ready = false;
    PairReport report;
    Instant next;          // when to introduce it, again
    int n_failures = 0;    // in a row
    bool refused = false;  // and said so
  };
  const Pair* find(StreamId prefill, StreamId decode) const;
  const std::map<std::pair<StreamId, StreamId>, Pair>& all() const { return pairs_; }

  std::vector<std::pair<StreamId, wire::ToLeader>> take_to_leaders() { return std::exchange(to_leaders_, {}); }
  uint64_t n_changes() const { return n_changes_; }  // pairs that became ready, or were it

 private:
  struct Infos {
    wire::GroupInfo from, to;
  };
  void introduce(Pair& pair);
  void stop(Pair& pair, const std::string& why);
  Pair* named(wire::Pairing pairing);
  std::optional<std::string> refusal_of(const wire::Paired& path) const;

  const PathRules rules_;
  const uint64_t epoch_;
  const Clock& clock_;
  std::map<std::pair<StreamId, StreamId>, Pair> pairs_;
  std::map<std::pair<StreamId, StreamId>, Infos> infos_;
  uint64_t n_introduced_ = 0;
  std::vector<std::pair<StreamId, wire::ToLeader>> to_leaders_;
  uint64_t n_changes_ = 0;
};

}  // namespace ferry
