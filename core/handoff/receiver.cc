#include "core/handoff/receiver.h"

#include <algorithm>
#include <utility>

#include "core/base/error.h"

namespace ferry {

namespace {
// A prefill group that does not answer Void is asked again: the message or its answer may have been lost.
constexpr Duration kVoidAgain = std::chrono::milliseconds(200);
}  // namespace

Receiver::Receiver(const Settings& settings, PageAllocator& pages)
    : settings_(settings), pages_(pages), random_(settings.seed) {}

// ---- reservations

std::optional<wire::Ticket> Receiver::reserve(const wire::Reserve& order, const Peer& prefill, Instant deadline,
                                              int spare) {
  if (reservations_.contains(order.attempt) || over_.contains(order.attempt)) return std::nullopt;
  if (n_quarantined_by(prefill.info.key.name) > settings_.most_quarantined) return std::nullopt;
  const std::vector<int>& prompt = order.request.prompt;
  std::vector<ContentId> contents;
  // Not the last token's page: at least that one is sent, so that every handoff is one.
  if (settings_.reuse)
    contents =
        block_contents(settings_.content_start, std::span(prompt).first(prompt.size() - 1), settings_.page_tokens);
  const int n_pages = pages_for(static_cast<int>(prompt.size()), settings_.page_tokens);
  auto lease = pages_.lease(n_pages, contents, spare);
  if (!lease) return std::nullopt;

  wire::Ticket ticket = {.name = {.attempt = order.attempt, .serial = ++serials_[prefill.id], .key = random_()},
                         .pairing = order.pairing,
                         .pages = {},
                         .n_cached_tokens = lease->n_found() * settings_.page_tokens,
                         .verify = settings_.verify};
  for (const int page : lease->pages()) ticket.pages.push_back({.page = page, .generation = pages_.generation(page)});
  Reservation& r = reservations_[order.attempt];
  r.ticket = ticket;
  r.group = prefill.id;
  r.prefill = prefill.info.key;
  r.request = order.request;
  r.lease = std::move(*lease);
  r.deadline = deadline;
  r.in_flight = prefill.sources;
  r.bill.kept_tokens = ticket.n_cached_tokens;
  return ticket;
}

std::optional<wire::Ticket> Receiver::given(const wire::Attempt& attempt) const {
  const auto known = reservations_.find(attempt);
  return known == reservations_.end() || known->second.dead ? std::nullopt : std::optional(known->second.ticket);
}

Receiver::Reservation* Receiver::named(GroupId from, const wire::TicketName& ticket, Verdict& verdict) {
  const auto found = reservations_.find(ticket.attempt);
  verdict = Verdict::stale;
  if (found == reservations_.end()) return nullptr;
  verdict = Verdict::refused;
  if (found->second.ticket.name != ticket || found->second.group != from) return nullptr;
  verdict = Verdict::taken;
  return &found->second;
}

Receiver::Verdict Receiver::landed(GroupId from, const wire::Landed& message, Instant now) {
  Verdict verdict = Verdict::taken;
  Reservation* r = named(from, message.ticket, verdict);
  if (!r) return verdict;
  if (r->in_flight.erase(message.rank) == 0) return Verdict::stale;  // said twice
  r->last_landed = now;
  r->bill.kv_bytes += message.bytes;
  r->bill.exposed_transfer_ms = std::max(r->bill.exposed_transfer_ms, message.exposed_ms);
  for (const wire::Checksum& sum : message.sums) r->sent.push_back({.source = message.rank, .sum = sum});
  if (!message.complete)
    fail(*r, str("prefill group ", r->prefill.name, " rank ", message.rank, " gave the transfer up"));
  settle(reservations_.find(message.ticket.attempt), now);
  return verdict;
}

Receiver::Verdict Receiver::sealed(GroupId from, const wire::Sealed& message, Instant now) {
  Verdict verdict = Verdict::taken;
  Reservation* r = named(from, message.ticket, verdict);
  if (!r) return verdict;
  if (r->sealed) return Verdict::stale;
  const ContentId expected = content_of(settings_.content_start, r->request.prompt, settings_.page_tokens);
  if (message.content != expected) {
    fail(*r,
         str("group ", r->prefill.name, " computed another prompt: content id ", message.content, ", not ", expected));
  }
  if (message.prompt_logprobs.size() != (r->request.prompt_logprobs ? r->request.prompt.size() - 1 : 0))
    fail(*r, str("group ", r->prefill.name, " tells logprobs of another prompt"));
  r->bill.prefill_ms = message.prefill_ms;
  r->bill.cached_tokens = message.cached_tokens;
  r->sealed = message;
  settle(reservations_.find(message.ticket.attempt), now);
  return verdict;
}

// Moves on when nothing is in flight any more: into the batch, by way of its checksums; or out.
void Receiver::settle(Entry entry, Instant now) {
  Reservation& r = entry->second;
  if (!r.in_flight.empty()) return;
  if (r.dead) {
    ended_.push_back(entry->first);
    forget(entry);
    return;
  }
  if (!r.sealed || r.to_verify || !r.verifying.empty()) return;
  r.ready = now;
  if (r.ticket.verify != wire::Verify::off && !r.sent.empty()) {
    r.to_verify = true;
  } else {
    arrive(r);
    forget(entry);
  }
}

void Receiver::forget(Entry entry) {
  over_.insert(entry->first);
  reservations_.erase(entry);
}

void Receiver::arrive(Reservation& r) {
  r.bill.verify_ms = ms_between(r.last_landed, r.ready);
  arrivals_.push_back({.ticket = std::move(r.ticket),
                       .group = r.group,
                       .request = std::move(r.request),
                       .lease = std::move(r.lease),
                       .first = std::move(r.sealed->first),
                       .prompt_logprobs = std::move(r.sealed->prompt_logprobs),
                       .bill = r.bill,
                       .ready = r.ready,
                       .deadline = r.deadline});
}

// ---- checksums

std::vector<VerifyOrder> Receiver::take_verifies(int n_ranks) {
  std::vector<VerifyOrder> orders;
  for (auto& [attempt, r] : reservations_) {
    if (!std::exchange(r.to_verify, false)) continue;
    for (int rank = 0; rank < n_ranks; ++rank) r.verifying.insert(rank);
    const int n_prompt = static_cast<int>(r.request.prompt.size());
    orders.push_back({.attempt = attempt,
                      .group = r.group,
                      .tokens = {r.ticket.n_cached_tokens, n_prompt},
                      .pages = {r.lease.pages().begin(), r.lease.pages().end()},
                      .sent = std::exchange(r.sent, {}),
                      .verify = r.ticket.verify});
  }
  return orders;
}

bool Receiver::verifying() const {
  return std::any_of(reservations_.begin(), reservations_.end(),
                     [](const auto& entry) { return !entry.second.dead && !entry.second.verifying.empty(); });
}

void Receiver::verified(const wire::Attempt& attempt, int rank, const std::string& mismatch, Instant now) {
  const auto entry = reservations_.find(attempt);
  if (entry == reservations_.end() || entry->second.verifying.erase(rank) == 0) return;
  Reservation& r = entry->second;
  if (!mismatch.empty()) fail(r, mismatch);
  if (!r.verifying.empty()) return;
  if (!r.dead) {
    r.ready = now;
    arrive(r);
    forget(entry);
  } else {
    settle(entry, now);
  }
}

// ---- ends

void Receiver::kill(Reservation& r) {
  if (std::exchange(r.dead, true)) return;
  r.lease.quarantine();
}

void Receiver::fail(Reservation& r, std::string why) {
  if (!r.dead) failures_.push_back({.attempt = r.ticket.name.attempt, .why = std::move(why)});
  kill(r);
}

bool Receiver::abort(const wire::Attempt& attempt) {
  const auto entry = reservations_.find(attempt);
  if (entry == reservations_.end()) {
    over_.insert(attempt);  // its Reserve may still be on its way: nobody would ask for its end again
    return false;
  }
  kill(entry->second);
  settle(entry, {});
  return true;
}

void Receiver::abort_all() {
  std::vector<wire::Attempt> all;
  for (const auto& [attempt, r] : reservations_) all.push_back(attempt);
  for (const wire::Attempt& attempt : all) abort(attempt);
  arrivals_.clear();
  failures_.clear();
}

std::vector<wire::Attempt> Receiver::expire(Instant now) {
  std::vector<wire::Attempt> expired;
  for (const auto& [attempt, r] : reservations_) {
    if (!r.dead && r.deadline <= now) expired.push_back(attempt);
  }
  for (const wire::Attempt& attempt : expired) abort(attempt);
  return expired;
}

std::vector<wire::Attempt> Receiver::lost(GroupId group) {
  serials_.erase(group);
  std::vector<wire::Attempt> ended;
  for (const auto& [attempt, r] : reservations_) {
    if (r.group == group && !r.dead) ended.push_back(attempt);
  }
  for (const wire::Attempt& attempt : ended) abort(attempt);
  return ended;
}

void Receiver::fenced(GroupId group) {
  for (auto entry = reservations_.begin(); entry != reservations_.end();) {
    const auto next = std::next(entry);
    if (entry->second.group == group) {
      fail(entry->second, "its pair is over");
      entry->second.in_flight.clear();
      settle(entry, {});
    }
    entry = next;
  }
}

std::vector<Receiver::Voided> Receiver::take_voided(Instant now) {
  std::vector<Voided> voided;
  for (auto& [attempt, r] : reservations_) {
    if (!r.dead || r.void_again > now) continue;
    r.void_again = now + kVoidAgain;
    voided.push_back({.group = r.group, .ticket = r.ticket.name});
  }
  return voided;
}

// ---- counts

int Receiver::n_reserved() const {
  return static_cast<int>(
      std::count_if(reservations_.begin(), reservations_.end(), [](const auto& e) { return !e.second.dead; }));
}

int Receiver::n_quarantined_by(const std::string& prefill) const {
  int n = 0;
  for (const auto& [attempt, r] : reservations_) {
    if (r.dead && r.prefill.name == prefill) n += static_cast<int>(r.lease.pages().size());
  }
  return n;
}

bool Receiver::may_write(GroupId from, int page) const {
  return std::any_of(reservations_.begin(), reservations_.end(), [&](const auto& entry) {
    const auto pages = entry.second.lease.pages().subspan(entry.second.lease.n_found());
    return entry.second.group == from && !entry.second.in_flight.empty() &&
           std::find(pages.begin(), pages.end(), page) != pages.end();
  });
}

std::vector<Receiver::Arrival> Receiver::take_arrivals() { return std::exchange(arrivals_, {}); }
std::vector<Receiver::Failure> Receiver::take_failures() { return std::exchange(failures_, {}); }

}  // namespace ferry
