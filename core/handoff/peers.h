#pragma once
// The groups that this group's leader knows, and whether their pair with us is ready to carry a handoff. Pure.

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/engine/step.h"

namespace ferry {

struct Peer {
  GroupId id = 0;
  wire::GroupInfo info;
  bool send = false;      // we send KV to it; otherwise it sends to us
  std::set<int> sources;  // its ranks that write to us
  std::set<int> silent;   // its sources that have not yet said that they reach us
  std::set<std::string> transports;

  bool paired() const { return silent.empty(); }
  std::string transport() const;  // "shm", or "shm+tcp" when ranks differ
};

class Peers {
 public:
  explicit Peers(std::vector<KvLayout> mine) : mine_(std::move(mine)) {}

  // nullptr: it is known already, in this epoch and direction. A sending peer may be paired at once: its ranks may have
  // greeted us before the router introduced it.
  const Peer* add(const wire::GroupInfo& info, bool send);
  void remove(GroupId id) { peers_.erase(id); }

  const Peer* find(GroupId id) const;
  const Peer* find(const wire::GroupKey& key, bool send) const;

  // A rank of a sending peer reaches us. Returns the peer if that makes the pair ready. Of a group that was not
  // introduced yet, it is kept until it is.
  const Peer* greeted(const wire::PairHello& hello);

  static constexpr size_t kMostEarly = 4096;  // greetings kept; the oldest go first

 private:
  static void note(const wire::PairHello& hello, Peer& peer);

  const std::vector<KvLayout> mine_;
  std::map<GroupId, Peer> peers_;
  std::deque<wire::PairHello> early_;  // greetings of groups that are not known yet
  GroupId next_id_ = 0;
};

}  // namespace ferry
