#include "core/handoff/peers.h"

#include "core/kv/reshard_plan.h"

namespace ferry {

namespace {

std::vector<Shard> shards_of(const std::vector<KvLayout>& layouts) {
  std::vector<Shard> shards;
  for (const KvLayout& layout : layouts) shards.push_back(layout.shard());
  return shards;
}

}  // namespace

std::string Peer::transport() const {
  std::string all;
  for (const std::string& name : transports) all += (all.empty() ? "" : "+") + name;
  return all;
}

const Peer* Peers::add(const wire::GroupInfo& info, bool send) {
  if (find(info.key, send)) return nullptr;
  Peer peer = {.id = next_id_++, .info = info, .send = send, .sources = {}, .silent = {}, .transports = {}};
  if (!send) {
    const ReshardPlan plan(shards_of(info.layouts), shards_of(mine_));
    for (const Transfer& t : plan.transfers()) peer.sources.insert(t.source);
    peer.silent = peer.sources;
    for (const wire::PairHello& hello : early_) {
      if (hello.prefill == info.key) note(hello, peer);
    }
    std::erase_if(early_, [&](const wire::PairHello& hello) { return hello.prefill == info.key; });
  }
  return &peers_.emplace(peer.id, std::move(peer)).first->second;
}

const Peer* Peers::find(GroupId id) const {
  const auto found = peers_.find(id);
  return found == peers_.end() ? nullptr : &found->second;
}

const Peer* Peers::find(const wire::GroupKey& key, bool send) const {
  for (const auto& [id, peer] : peers_) {
    if (peer.info.key == key && peer.send == send) return &peer;
  }
  return nullptr;
}

const Peer* Peers::greeted(const wire::PairHello& hello) {
  for (auto& [id, peer] : peers_) {
    if (peer.send || peer.info.key != hello.prefill) continue;
    const bool was_paired = peer.paired();
    note(hello, peer);
    return !was_paired && peer.paired() ? &peer : nullptr;
  }
  // The router introduces both sides at about the same time, and the other one was faster.
  early_.push_back(hello);
  if (early_.size() > kMostEarly) early_.pop_front();
  return nullptr;
}

void Peers::note(const wire::PairHello& hello, Peer& peer) {
  if (peer.silent.erase(hello.rank) > 0 && !hello.transport.empty()) peer.transports.insert(hello.transport);
}

}  // namespace ferry
