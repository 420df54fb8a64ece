#include "core/handoff/sender.h"

namespace ferry {

bool UsedSerials::use(uint32_t serial) {
  if (serial <= oldest_ || !used_.insert(serial).second) return false;
  if (used_.size() > kMost) {
    oldest_ = *used_.begin();
    used_.erase(used_.begin());
  }
  return true;
}

void Sender::sealed(const wire::TicketName& ticket, GroupId group, PageLease lease, Instant deadline) {
  shipments_[ticket] = {.group = group, .lease = std::move(lease), .deadline = deadline, .draining = all_ranks()};
}

std::set<int> Sender::all_ranks() const {
  std::set<int> ranks;
  for (int rank = 0; rank < n_ranks_; ++rank) ranks.insert(ranks.end(), rank);
  return ranks;
}

void Sender::give_up(const wire::TicketName& ticket, GroupId group, PageLease lease) {
  used_[group].use(ticket.serial);
  const auto [entry, is_new] = shipments_.try_emplace(ticket);
  Shipment& shipment = entry->second;
  if (shipment.given_up) {  // asked again: the ranks say it again
    give_ups_.push_back({.ticket = ticket, .group = group});
    return;
  }
  if (is_new) {
    shipment.group = group;
    shipment.lease = std::move(lease);
    shipment.draining = all_ranks();
  }
  give_up(entry);
}

bool Sender::give_up(const wire::Attempt& attempt) {
  bool found = false;
  for (auto entry = shipments_.begin(); entry != shipments_.end(); ++entry) {
    if (entry->first.attempt != attempt) continue;
    give_up(entry);
    found = true;
  }
  return found;
}

void Sender::give_up(Entry entry) {
  Shipment& shipment = entry->second;
  if (std::exchange(shipment.given_up, true)) return;
  give_ups_.push_back({.ticket = entry->first, .group = shipment.group});
}

void Sender::give_up_all() {
  for (auto entry = shipments_.begin(); entry != shipments_.end(); ++entry) give_up(entry);
}

void Sender::expire(Instant now) {
  for (auto entry = shipments_.begin(); entry != shipments_.end(); ++entry) {
    if (entry->second.deadline <= now) give_up(entry);
  }
}

void Sender::drained(const wire::TicketName& ticket, int rank) {
  const auto found = shipments_.find(ticket);
  if (found == shipments_.end()) return;
  found->second.draining.erase(rank);
  if (found->second.draining.empty()) end(found);
}

void Sender::lost(GroupId group) {
  used_.erase(group);
  for (auto entry = shipments_.begin(); entry != shipments_.end(); ++entry) {
    if (entry->second.group == group) give_up(entry);
  }
}

void Sender::closed(GroupId group) {
  for (auto entry = shipments_.begin(); entry != shipments_.end();)
    entry = entry->second.group == group ? end(entry) : std::next(entry);
}

Sender::Entry Sender::end(Entry entry) {
  if (entry->second.given_up) ended_.push_back(entry->first.attempt);
  return shipments_.erase(entry);
}

}  // namespace ferry
