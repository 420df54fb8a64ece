#include "core/handoff/receiver.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace ferry {

Receiver::Receiver(wire::GroupKey me, uint64_t model_hash, PageAllocator& pages, int page_tokens)
    : me_(std::move(me)), model_hash_(model_hash), pages_(pages), page_tokens_(page_tokens) {}

std::optional<wire::Ticket> Receiver::reserve(const wire::Reserve& order, std::set<int> sources, Instant deadline) {
  const auto pages_for = [this](int n_tokens) { return (n_tokens + page_tokens_ - 1) / page_tokens_; };
  auto lease = pages_.lease(pages_for(order.request.max_length()));
  if (!lease) return std::nullopt;
  const int n_prompt = pages_for(static_cast<int>(order.request.prompt.size()));
  wire::Ticket ticket = {
      .attempt = order.attempt, .decode = me_, .pages = {lease->pages().begin(), lease->pages().begin() + n_prompt}};
  reservations_[order.attempt] = {.order = order,
                                  .lease = std::move(*lease),
                                  .deadline = deadline,
                                  .in_flight = std::move(sources),
                                  .sealed = {},
                                  .bill = {},
                                  .last_landed = {}};
  return ticket;
}

void Receiver::landed(const wire::Landed& message, Instant now) {
  const auto entry = reservations_.find(message.attempt);
  if (entry == reservations_.end() || entry->second.order.prefill != message.prefill) return;
  Reservation& r = entry->second;
  if (r.in_flight.erase(message.rank) == 0) return;
  r.last_landed = now;
  r.bill.kv_bytes += message.bytes;
  r.bill.exposed_transfer_ms = std::max(r.bill.exposed_transfer_ms, message.exposed_ms);
  if (!message.complete)
    fail(r, str("prefill group ", message.prefill.name, " rank ", message.rank, " gave the transfer up"));
  settle(entry);
}

void Receiver::sealed(const wire::Sealed& message) {
  const auto entry = reservations_.find(message.attempt);
  if (entry == reservations_.end() || entry->second.order.prefill != message.prefill || entry->second.sealed) return;
  Reservation& r = entry->second;
  const uint64_t expected = content_id(r.order.request.prompt, model_hash_);
  if (message.content != expected) {
    fail(r, str("group ", message.prefill.name, " computed another prompt: content id ", message.content, ", not ",
                expected));
  }
  r.bill.prefill_ms = message.prefill_ms;
  r.sealed = message;
  settle(entry);
}

void Receiver::abort(const wire::Attempt& attempt) {
  const auto entry = reservations_.find(attempt);
  if (entry == reservations_.end()) return;
  entry->second.dead = true;
  settle(entry);
}

void Receiver::abort_all() {
  std::vector<wire::Attempt> all;
  for (const auto& [attempt, r] : reservations_) all.push_back(attempt);
  for (const wire::Attempt& attempt : all) abort(attempt);
  arrivals_.clear();
}

std::vector<wire::Attempt> Receiver::forget(const wire::GroupKey& prefill) {
  std::vector<wire::Attempt> ended;
  for (auto entry = reservations_.begin(); entry != reservations_.end();) {
    const auto next = std::next(entry);
    Reservation& r = entry->second;
    if (r.order.prefill == prefill) {
      if (!r.dead) ended.push_back(entry->first);
      r.dead = true;
      r.in_flight.clear();
      settle(entry);
    }
    entry = next;
  }
  return ended;
}

void Receiver::fail(Reservation& reservation, std::string why) {
  if (reservation.dead) return;
  reservation.dead = true;
  failures_.push_back({.attempt = reservation.order.attempt, .why = std::move(why)});
}

void Receiver::settle(Entry entry) {
  Reservation& r = entry->second;
  if (!r.in_flight.empty()) return;
  if (!r.dead) {
    if (!r.sealed) return;
    arrivals_.push_back({.order = std::move(r.order),
                         .lease = std::move(r.lease),
                         .first = std::move(r.sealed->first),
                         .bill = r.bill,
                         .landed = r.last_landed,
                         .deadline = r.deadline});
  }
  reservations_.erase(entry);
}

std::vector<wire::Attempt> Receiver::expire(Instant now) {
  std::vector<wire::Attempt> expired;
  for (const auto& [attempt, r] : reservations_) {
    if (!r.dead && r.deadline <= now) expired.push_back(attempt);
  }
  for (const wire::Attempt& attempt : expired) abort(attempt);
  return expired;
}

int Receiver::n_reserved() const {
  return static_cast<int>(
      std::count_if(reservations_.begin(), reservations_.end(), [](const auto& e) { return !e.second.dead; }));
}

int Receiver::n_quarantined() const {
  int n_pages = 0;
  for (const auto& [attempt, r] : reservations_) n_pages += r.dead ? static_cast<int>(r.lease.pages().size()) : 0;
  return n_pages;
}

std::vector<Receiver::Arrival> Receiver::take_arrivals() { return std::exchange(arrivals_, {}); }
std::vector<Receiver::Failure> Receiver::take_failures() { return std::exchange(failures_, {}); }

}  // namespace ferry
