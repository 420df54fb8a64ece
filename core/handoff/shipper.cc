#include "core/handoff/shipper.h"

#include <utility>

#include "core/base/check.h"
#include "core/base/codec.h"

namespace ferry {

namespace {

std::vector<Shard> shards_of(const std::vector<KvLayout>& layouts) {
  std::vector<Shard> shards;
  for (const KvLayout& layout : layouts) shards.push_back(layout.shard());
  return shards;
}

}  // namespace

Shipper::Shipper(wire::GroupKey group, int rank, std::vector<KvLayout> layouts, KvLink& link, const Clock& clock)
    : group_(std::move(group)), rank_(rank), layouts_(std::move(layouts)), link_(link), clock_(clock) {}

void Shipper::connect(const ConnectOrder& order) {
  Peer& peer = peers_[order.group];
  peer.info = order.info;
  std::set<int> wanted;
  if (order.send) {
    peer.transfers = ReshardPlan(shards_of(layouts_), shards_of(order.info.layouts)).from(rank_);
    for (const Transfer& t : peer.transfers) wanted.insert(t.destination);
  }
  // The peer's leader is spoken to by our leader, and by every rank that sends.
  if (rank_ == 0 || !peer.transfers.empty()) wanted.insert(0);
  for (int rank : wanted) peer.ranks[rank] = link_.connect(order.info.link_addresses[rank]);
  if (!order.send) return;
  for (const auto& [rank, id] : peer.ranks) {
    peer.not_warm.insert(rank);
    warmed_up_for_[next_tag_] = {order.group, rank};
    link_.flush(id, next_tag_++);
  }
}

void Shipper::disconnect(GroupId group) {
  const auto found = peers_.find(group);
  if (found == peers_.end()) return;
  for (const auto& [rank, id] : found->second.ranks) link_.disconnect(id);
  peers_.erase(found);
  for (auto& [attempt, shipment] : shipments_) {
    if (shipment.group == group) drained_.push_back(attempt);
  }
  std::erase_if(shipments_, [group](const auto& entry) { return entry.second.group == group; });
}

void Shipper::ship_layer(const ShipOrder& order, int layer, std::span<const int> pages) {
  const auto peer = peers_.find(order.group);
  if (peer == peers_.end()) return;  // it broke; the leader knows or will be told with the next receipt
  Shipment& shipment = shipments_[order.attempt];
  shipment.group = order.group;
  for (const Transfer& transfer : peer->second.transfers) {
    if (!transfer.part.layers.contains(layer)) continue;
    pieces_.clear();
    append_pieces(transfer, layouts_[rank_], peer->second.info.layouts[transfer.destination], layer, order.tokens,
                  {pages, order.pages}, pieces_);
    for (const Piece& piece : pieces_) shipment.bytes += piece.bytes;
    shipment.touched.insert(transfer.destination);
    link_.put(peer->second.ranks.at(transfer.destination), pieces_);
  }
}

void Shipper::finish(const ShipOrder& order) {
  const auto found = shipments_.find(order.attempt);
  if (found != shipments_.end()) flush_all(order.attempt, found->second);
}

void Shipper::give_up(const GiveUpOrder& order) {
  Shipment& shipment = shipments_[order.attempt];  // perhaps nothing was shipped yet: then it ends at once
  shipment.group = order.group;
  if (shipment.finishing) return;
  shipment.complete = false;
  flush_all(order.attempt, shipment);
}

void Shipper::flush_all(const wire::Attempt& attempt, Shipment& shipment) {
  shipment.finishing = true;
  shipment.computed = clock_.now();
  const auto peer = peers_.find(shipment.group);
  if (peer != peers_.end()) {
    for (int rank : shipment.touched) {
      shipment.flushes.insert(next_tag_);
      flushed_for_[next_tag_] = attempt;
      link_.flush(peer->second.ranks.at(rank), next_tag_++);
    }
  }
  end_if_landed(attempt);
}

void Shipper::end_if_landed(const wire::Attempt& attempt) {
  const auto found = shipments_.find(attempt);
  if (found == shipments_.end() || !found->second.finishing || !found->second.flushes.empty()) return;
  const Shipment shipment = found->second;
  shipments_.erase(found);
  drained_.push_back(attempt);
  const auto peer = peers_.find(shipment.group);
  if (peer == peers_.end() || peer->second.transfers.empty()) return;  // not a source: nobody waits for us
  send_to_leader(shipment.group, wire::Landed{.attempt = attempt,
                                              .prefill = group_,
                                              .rank = rank_,
                                              .complete = shipment.complete,
                                              .bytes = shipment.bytes,
                                              .exposed_ms = ms_between(shipment.computed, clock_.now())});
}

void Shipper::send_to_leader(GroupId group, const wire::LinkMessage& message) {
  const auto peer = peers_.find(group);
  if (peer != peers_.end()) link_.send(peer->second.ranks.at(0), pack(message));
}

void Shipper::progress() {
  while (const auto event = link_.poll()) {
    std::visit([this](const auto& e) { handle(e); }, *event);
  }
}

void Shipper::handle(const Flushed& event) {
  if (const auto warm = warmed_up_for_.find(event.tag); warm != warmed_up_for_.end()) {
    const auto [group, rank] = warm->second;
    warmed_up_for_.erase(warm);
    const auto peer = peers_.find(group);
    if (peer == peers_.end()) return;
    peer->second.not_warm.erase(rank);
    greet_if_warm(group, peer->second);
    return;
  }
  const auto found = flushed_for_.find(event.tag);
  check(found != flushed_for_.end(), "a flush is answered once");
  const wire::Attempt attempt = found->second;
  flushed_for_.erase(found);
  const auto shipment = shipments_.find(attempt);
  if (shipment == shipments_.end()) return;
  shipment->second.flushes.erase(event.tag);
  end_if_landed(attempt);
}

void Shipper::greet_if_warm(GroupId group, Peer& peer) {
  if (!peer.not_warm.empty()) return;
  send_to_leader(group, wire::PairHello{.prefill = group_, .rank = rank_, .transport = transport_to(peer)});
}

std::string Shipper::transport_to(const Peer& peer) const {
  std::set<std::string> names;
  for (const Transfer& t : peer.transfers) names.insert(link_.transport(peer.ranks.at(t.destination)));
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : "+") + name;
  return all;
}

void Shipper::handle(const Received& event) {
  if (auto message = unpack<wire::LinkMessage>(event.bytes)) {
    messages_.push_back(std::move(*message));
  } else {
    ++n_refused_messages_;
  }
}

void Shipper::handle(const Broken& event) {
  for (const auto& [group, peer] : peers_) {
    for (const auto& [rank, id] : peer.ranks) {
      if (id != event.peer) continue;
      failures_.push_back(
          {.group = group, .why = peer.info.key.name + " rank " + std::to_string(rank) + ": " + event.why});
      disconnect(group);  // a group is there as a whole or not at all; ends the loops
      return;
    }
  }
}

std::vector<wire::LinkMessage> Shipper::take_messages() { return std::exchange(messages_, {}); }
std::vector<wire::Attempt> Shipper::take_drained() { return std::exchange(drained_, {}); }
std::vector<GroupFailure> Shipper::take_failures() { return std::exchange(failures_, {}); }

}  // namespace ferry
