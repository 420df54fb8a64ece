#pragma once
// The pairs that this group's leader takes part in, and how far each has come: introduced, opened, connected, ready to
// carry a handoff; and, when it is over, until nothing of it can touch our memory. Pure.

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/newest.h"
#include "core/engine/step.h"

namespace ferry {

struct Peer {
  GroupId id = 0;
  wire::Pairing pairing = 0;
  wire::GroupInfo info;
  bool send = false;                     // we send KV to it; otherwise it sends to us
  std::set<int> sources;                 // ranks of the sending side that put anything
  std::map<int, std::string> addresses;  // of our ranks, as they open
  bool connecting = false;               // the other side has said where it is
  std::set<int> not_measured;            // our ranks that do not yet reach all they have to
  std::set<int> silent;                  // sources that have not yet said that they reach us
  std::set<std::string> transports;
  wire::Speed there, back;  // of the slowest, as far as is known
  bool told = false;        // the router knows that it is ready

  bool ready() const { return connecting && not_measured.empty() && silent.empty(); }
  std::string transport() const;  // "shm", or "shm+tcp" when ranks differ
};

class Peers {
 public:
  explicit Peers(std::vector<KvLayout> mine) : mine_(std::move(mine)) {}

  Peer& add(wire::Pairing pairing, const wire::GroupInfo& info, bool send);
  void remove(GroupId id);  // from now on it is leaving

  Peer* find(GroupId id);
  Peer* find(wire::Pairing pairing);
  Peer* find(const wire::GroupKey& key, bool send);
  bool over(wire::Pairing pairing) const { return over_.contains(pairing); }  // it was removed: it does not come back
  const std::map<GroupId, Peer>& all() const { return peers_; }

  // Our rank says of a group that has left. True when it is the last one to do so.
  bool closed(GroupId id, int rank);
  bool fenced(GroupId id, int rank);
  bool some_not_closed() const { return !not_closed_.empty(); }
  bool some_not_fenced() const { return !not_fenced_.empty(); }

 private:
  std::set<int> all_ranks() const;

  const std::vector<KvLayout> mine_;
  std::map<GroupId, Peer> peers_;
  std::map<GroupId, std::set<int>> not_closed_, not_fenced_;  // groups that left: our ranks that have not said so yet
  GroupId next_id_ = 0;
  Newest<wire::Pairing> over_{4096};
};

void take_slower(wire::Speed& slowest, const wire::Speed& speed);

}  // namespace ferry
