#include "core/handoff/peers.h"

#include <algorithm>

#include "core/kv/reshard_plan.h"

namespace ferry {

namespace {

// True when that was the last rank which had not said so.
bool strike(std::map<GroupId, std::set<int>>& waiting, GroupId id, int rank) {
  const auto found = waiting.find(id);
  if (found == waiting.end()) return false;
  found->second.erase(rank);
  if (!found->second.empty()) return false;
  waiting.erase(found);
  return true;
}

}  // namespace

std::string Peer::transport() const {
  std::string all;
  for (const std::string& name : transports) all += (all.empty() ? "" : "+") + name;
  return all;
}

Peer& Peers::add(wire::Pairing pairing, const wire::GroupInfo& info, bool send) {
  Peer& peer = peers_[next_id_];
  peer.id = next_id_++;
  peer.pairing = pairing;
  peer.info = info;
  peer.send = send;
  peer.not_measured = all_ranks();
  const auto mine = shards_of(mine_), theirs = shards_of(info.layouts);
  const ReshardPlan plan = send ? ReshardPlan(mine, theirs) : ReshardPlan(theirs, mine);
  for (const Transfer& t : plan.transfers()) peer.sources.insert(t.source);
  if (!send) peer.silent = peer.sources;
  return peer;
}

std::set<int> Peers::all_ranks() const {
  std::set<int> ranks;
  for (size_t rank = 0; rank < mine_.size(); ++rank) ranks.insert(ranks.end(), static_cast<int>(rank));
  return ranks;
}

void Peers::remove(GroupId id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  over_.insert(found->second.pairing);
  peers_.erase(found);
  not_closed_[id] = all_ranks();
  not_fenced_[id] = all_ranks();
}

bool Peers::closed(GroupId id, int rank) { return strike(not_closed_, id, rank); }
bool Peers::fenced(GroupId id, int rank) { return strike(not_fenced_, id, rank); }

Peer* Peers::find(GroupId id) {
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : &found->second;
}

Peer* Peers::find(wire::Pairing pairing) {
  for (auto& [id, peer] : peers_) {
    if (peer.pairing == pairing) return &peer;
  }
  return nullptr;
}

Peer* Peers::find(const wire::GroupKey& key, bool send) {
  for (auto& [id, peer] : peers_) {
    if (peer.info.key == key && peer.send == send) return &peer;
  }
  return nullptr;
}

void take_slower(wire::Speed& slowest, const wire::Speed& speed) {
  if (speed.gb_per_s <= 0) return;  // that rank has nobody to reach
  slowest.gb_per_s = slowest.gb_per_s > 0 ? std::min(slowest.gb_per_s, speed.gb_per_s) : speed.gb_per_s;
  slowest.latency_us = std::max(slowest.latency_us, speed.latency_us);
}

}  // namespace ferry
