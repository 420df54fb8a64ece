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
    if (peer.send || peer.info.key != hello.prefill || peer.silent.erase(hello.rank) == 0) continue;
    if (!hello.transport.empty()) peer.transports.insert(hello.transport);
    return peer.paired() ? &peer : nullptr;
  }
  return nullptr;
}

}  // namespace ferry
