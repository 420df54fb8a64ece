#pragma once
// The groups that have joined: what each does, who can hand KV to whom, and which way is best for a prompt. Work goes
// where it is done soonest: to the prefill group with the fewest tokens to compute, those that it probably has in its
// cache already not counted, and to the decode group with the most room. It does not go to a group that is silent, is
// being drained, or fails all the time. Pure.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/router/breaker.h"
#include "core/router/pairs.h"
#include "core/router/prefixes.h"
#include "core/seam/clock.h"
#include "core/seam/control_stream.h"
#include "core/wire/messages.h"

namespace ferry {

enum class GroupState : uint8_t { ready, draining, drained, silent, failing, probed };
std::string_view name_of(GroupState state);

class Fleet {
 public:
  struct Route {
    StreamId prefill = 0, decode = 0;
    bool colocated() const { return prefill == decode; }
    bool operator==(const Route&) const = default;
  };

  Fleet(const PathRules& paths, uint64_t router_epoch, const Clock& clock);

  struct Group {
    wire::GroupInfo info;
    int n_requests = 0;        // attempts that it takes part in
    int64_t n_to_prefill = 0;  // tokens of their prompts that it has to compute yet, as far as is known
    Instant heard;             // its last message
    bool silent = false;       // it let an attempt pass in silence, and has said nothing since
    bool draining = false;     // it ends what it has, and gets nothing new
    wire::Stats stats;         // as last told
  };
  void join(StreamId stream, const wire::GroupInfo& info);
  // Its name, if it was here. What it had to do is no failure of others.
  std::optional<std::string> leave(StreamId stream, const std::string& why);
  const std::map<StreamId, Group>& groups() const { return groups_; }
  bool contains(StreamId stream) const { return groups_.contains(stream); }
  const Group& at(StreamId stream) const { return groups_.at(stream); }
  std::optional<StreamId> stream_of(std::string_view name) const;
  GroupState state_of(StreamId stream) const;

  void heard(StreamId stream);
  void told(StreamId stream, const wire::Stats& stats) { groups_.at(stream).stats = stats; }
  bool drain(std::string_view name, bool on);       // false: there is none of that name
  void suspect(const Route& route, Instant since);  // those that have said nothing since then
  void failed(StreamId stream);
  void full(const Route& route, Instant until);  // decode has no room for what that prefill group sends

  Pairs& pairs() { return pairs_; }
  const Pairs& pairs() const { return pairs_; }
  uint64_t n_path_changes() const { return n_changes_ + pairs_.n_changes(); }  // groups and pairs that came and went
  const Pairs::Pair* ready_pair(const Route& route) const;                     // nullptr: there is none

  // nullopt: none is free now.
  std::optional<Route> best_route(std::span<const int> prompt, const std::set<StreamId>& without) const;
  // Decode groups can prefill, too; it costs those that decode there their pace.
  std::optional<Route> best_colocated(std::optional<StreamId> rather = std::nullopt) const;
  bool is_free(const Route& route) const;
  bool may_use(StreamId stream) const;
  bool all_decode_silent() const;
  // Names of the groups that do this, where all of them are drained; empty: one is not, or there is none.
  std::vector<std::string> all_drained(wire::Role role) const;
  // The later of `since` and what both groups of a route have said last.
  Instant sign_of_life(const Route& route, Instant since) const;

  // An attempt takes that way; returns the tokens that prefill has to compute.
  int begin(const Route& route, std::span<const int> prompt);
  void prefilled(const Route& route, int n_tokens);
  void succeeded(const Route& route);
  void end(const Route& route);

 private:
  bool has_room(StreamId decode) const;
  double load_of(StreamId decode) const;
  std::optional<Route> best_mixed(const std::set<StreamId>& without) const;

  const Clock& clock_;
  std::map<StreamId, Group> groups_;
  std::map<std::string, Breaker> breakers_;  // by name: a group that keeps dying comes back under it
  std::map<std::pair<StreamId, StreamId>, Instant> full_until_;  // (prefill, decode)
  Pairs pairs_;
  Prefixes prefixes_;
  uint64_t n_changes_ = 0;  // of groups_
};

}  // namespace ferry
