#include "core/handoff/sender.h"

#include <utility>

namespace ferry {

void Sender::sealed(const wire::Attempt& attempt, GroupId group, PageLease lease, Instant deadline) {
  shipments_[attempt] = {.group = group, .lease = std::move(lease), .deadline = deadline, .draining = {}};
}

void Sender::received(const wire::Attempt& attempt) {
  const auto found = shipments_.find(attempt);
  if (found != shipments_.end() && !found->second.given_up) shipments_.erase(found);
}

void Sender::give_up(const wire::Attempt& attempt, GroupId group, PageLease lease) {
  Shipment& shipment = shipments_[attempt];
  shipment.group = group;
  shipment.lease = std::move(lease);
  give_up(attempt);
}

void Sender::give_up(const wire::Attempt& attempt) {
  const auto found = shipments_.find(attempt);
  if (found == shipments_.end() || found->second.given_up) return;
  Shipment& shipment = found->second;
  shipment.given_up = true;
  for (int rank = 0; rank < n_ranks_; ++rank) shipment.draining.insert(rank);
  give_ups_.push_back({.attempt = attempt, .group = shipment.group});
}

void Sender::give_up_all() {
  std::vector<wire::Attempt> all;
  for (const auto& [attempt, shipment] : shipments_) all.push_back(attempt);
  for (const wire::Attempt& attempt : all) give_up(attempt);
}

void Sender::drained(const wire::Attempt& attempt, int rank) {
  const auto found = shipments_.find(attempt);
  if (found == shipments_.end() || !found->second.given_up) return;
  found->second.draining.erase(rank);
  if (found->second.draining.empty()) shipments_.erase(found);
}

void Sender::forget(GroupId group) {
  std::erase_if(shipments_, [group](const auto& entry) { return entry.second.group == group; });
}

void Sender::expire(Instant now) {
  std::vector<wire::Attempt> expired;
  for (const auto& [attempt, shipment] : shipments_) {
    if (!shipment.given_up && shipment.deadline <= now) expired.push_back(attempt);
  }
  for (const wire::Attempt& attempt : expired) give_up(attempt);
}

std::vector<GiveUpOrder> Sender::take_give_ups() { return std::exchange(give_ups_, {}); }

}  // namespace ferry
