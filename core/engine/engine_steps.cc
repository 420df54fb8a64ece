// What the ranks of a group do next, and what comes of it.

#include <algorithm>

#include "core/base/check.h"
#include "core/base/error.h"
#include "core/engine/engine.h"
#include "core/seam/kv_link.h"

namespace ferry {

namespace {
// While puts are in flight or a pair is made, the ranks are asked this often how they fare; and this often, when all
// that is left is to hear that a stopped process of another group has ended.
constexpr Duration kHeartbeat = std::chrono::milliseconds(5);
constexpr Duration kSlowHeartbeat = std::chrono::milliseconds(50);
// While they sum what has landed, a request waits for nothing else.
constexpr Duration kQuickHeartbeat = std::chrono::microseconds(200);

constexpr size_t kRestOfSealed = 1 << 16;
static_assert(kMostPromptLogprobBytes + kRestOfSealed <= KvLink::kMaxMessage,
              "what a prompt's end says is one message");
}  // namespace

std::optional<Duration> Engine::heartbeat() const {
  if (receiver_.verifying()) return kQuickHeartbeat;
  const auto& peers = peers_.all();
  const bool pairing =
      std::any_of(peers.begin(), peers.end(), [](const auto& entry) { return !entry.second.not_measured.empty(); });
  if (pairing || !sender_.idle() || peers_.some_not_closed()) return kHeartbeat;
  // A rank that sends may find its path broken, and is the only one that knows.
  if (peers_.some_not_fenced() || !peers.empty()) return kSlowHeartbeat;
  return std::nullopt;
}

std::optional<Step> Engine::next_step() {
  const Instant now = clock_.now();
  const auto nothing_in_flight = [this] { return sender_.idle() && pages_.counts().quarantined == 0; };
  Step step = {.id = next_step_id_,
               .batch = {},
               .closes = std::exchange(closes_, {}),
               .opens = std::exchange(opens_, {}),
               .connects = std::exchange(connects_, {}),
               .gives_up = sender_.take_give_ups(),
               .verifies = receiver_.take_verifies(static_cast<int>(config_.me.layouts.size())),
               .ships = {},
               .last = stop_by_ && (now >= *stop_by_ || nothing_in_flight())};
  plan_ = scheduler_.plan(pace_.rows());
  order_shipping(plan_, step);
  order_digests(plan_, plan_.batch);
  step.batch = std::move(plan_.batch);
  const bool has_orders = !step.closes.empty() || !step.opens.empty() || !step.connects.empty() ||
                          !step.gives_up.empty() || !step.verifies.empty() || step.last;
  const auto beat = heartbeat();
  if (step.batch.n_rows() == 0 && !has_orders && !(beat && now - last_step_ >= *beat)) return std::nullopt;
  ++next_step_id_;
  last_step_ = now;
  return step;
}

void Engine::order_shipping(const Scheduler::Plan& plan, Step& step) {
  for (size_t i = 0; i < plan.sequences.size(); ++i) {
    Sequence& s = *plan.sequences[i].sequence;
    if (!s.ship) continue;
    const bool last = s.n_computed == s.n_prompt(), deferred = config_.overlap == Overlap::after_prefill;
    if ((deferred && !last) || s.n_computed <= s.n_shipped) continue;
    std::vector<int> pages;
    for (const wire::PageAtLease& page : s.ship->ticket.pages) pages.push_back(page.page);
    step.ships.push_back({.ticket = s.ship->ticket.name,
                          .group = s.ship->group,
                          .sequence = static_cast<int>(i),
                          .tokens = {s.n_shipped, s.n_computed},
                          .pages = std::move(pages),
                          .due_ms = ms_between(clock_.now(), s.due),
                          .verify = s.ship->ticket.verify,
                          .deferred = deferred,
                          .last = last});
    s.n_shipped = s.n_computed;
  }
}

void Engine::order_digests(const Scheduler::Plan& plan, Batch& batch) const {
  const auto order = [&batch](const DigestNeeds& needs) {
    batch.n_best = std::max(batch.n_best, needs.n_best);
    batch.scales.push_back(needs.scale);
    batch.may_ask = batch.may_ask || needs.may_ask;
  };
  for (const Scheduler::Planned& planned : plan.sequences) {
    const Sequence& s = *planned.sequence;
    for (int i = 0; i < planned.scored.size(); ++i) order(needs_of_scored());
    if (planned.logit_row >= 0) order(needs_of(s.request, s.tokens, config_.end_tokens));
  }
}

std::vector<int> Engine::choose(const std::vector<RowDigest>& digests) {
  chosen_.assign(digests.size(), std::nullopt);
  std::vector<int> asked;
  for (Scheduler::Planned& planned : plan_.sequences) {
    const Sequence& s = *planned.sequence;
    const auto rows =
        std::span(digests).subspan(static_cast<size_t>(planned.first_row), static_cast<size_t>(planned.n_logit_rows()));
    planned.has_numbers = std::ranges::all_of(rows, has_numbers);
    if (!planned.has_numbers) continue;
    for (int row = planned.first_row; row < planned.first_row + planned.n_logit_rows(); ++row) {
      const RowDigest& digest = digests[static_cast<size_t>(row)];
      auto& token = chosen_[static_cast<size_t>(row)];
      token = row == planned.logit_row ? next_token(digest, s.request, s.tokens, config_.end_tokens)
                                       : scored_token(digest, s.request, s.tokens[planned.scored_by(row)]);
      if (!token) asked.push_back(row);
    }
  }
  return asked;
}

void Engine::finish(const StepResult& result, std::span<const float> asked_logits) {
  pace_.ran(plan_.n_rows(), clock_.now() - last_step_);
  take_tokens(asked_logits);
  for (size_t rank = 0; rank < result.receipts.size(); ++rank) {
    for (const GroupFailure& failure : result.receipts[rank].failures) {
      const Peer* peer = peers_.find(failure.group);
      if (!peer) continue;
      to_router_.push_back(wire::Unpaired{.pairing = peer->pairing, .why = failure.why});
      lose_peer(failure.group, failure.why);
    }
  }
  for (size_t rank = 0; rank < result.receipts.size(); ++rank)
    take_receipt(result.receipts[rank], static_cast<int>(rank));
  attach_arrivals();
  tell_ends();
}

void Engine::take_receipt(const StepReceipt& receipt, int rank) {
  for (const OpenedChannel& opened : receipt.opened) {
    Peer* peer = peers_.find(opened.group);
    if (!peer) continue;
    peer->addresses[rank] = opened.address;
    if (peer->addresses.size() < config_.me.layouts.size()) continue;
    wire::Opened message = {.pairing = peer->pairing, .addresses = {}};
    for (const auto& [r, address] : peer->addresses) message.addresses.push_back(address);
    to_router_.push_back(std::move(message));
  }
  for (const MeasuredGroup& measured : receipt.measured) {
    Peer* peer = peers_.find(measured.group);
    if (!peer) continue;
    peer->not_measured.erase(rank);
    take_slower(peer->back, measured.speed);
    tell_if_ready(*peer);
  }
  for (const wire::TicketName& ticket : receipt.drained) sender_.drained(ticket, rank);
  for (const Verified& v : receipt.verified) receiver_.verified(v.attempt, rank, v.mismatch, clock_.now());
  for (const GroupId group : receipt.closed) {
    if (peers_.closed(group, rank)) sender_.closed(group);
  }
  for (const GroupId group : receipt.fenced) {
    if (peers_.fenced(group, rank)) receiver_.fenced(group);
  }
}

void Engine::take_tokens(std::span<const float> asked_logits) {
  const auto next_asked = [&asked_logits, n_vocab = static_cast<size_t>(config_.n_vocab)] {
    const auto logits = asked_logits.first(n_vocab);
    asked_logits = asked_logits.subspan(n_vocab);
    return logits;
  };
  for (const Scheduler::Planned& planned : std::exchange(plan_.sequences, {})) {
    Sequence& s = *planned.sequence;
    if (!planned.has_numbers) {
      fail_without_numbers(wire::Attempt(s.attempt));
      continue;
    }
    scheduler_.publish(s);
    for (int row = planned.first_row; row < planned.first_row + planned.scored.size(); ++row) {
      std::optional<Token>& token = chosen_[static_cast<size_t>(row)];
      if (!token) token = scored_token(next_asked(), s.request, s.tokens[planned.scored_by(row)]);
      s.prompt_logprobs.push_back(std::move(*token));
    }
    if (planned.logit_row < 0) continue;
    std::optional<Token>& token = chosen_[static_cast<size_t>(planned.logit_row)];
    if (!token) token = next_token(next_asked(), s.request, s.tokens, config_.end_tokens);
    if (s.ship) {
      seal(std::move(*scheduler_.remove(wire::Attempt(s.attempt))), std::move(*token));
    } else {
      wire::Bill bill;
      if (s.n_generated() == 0) {
        bill = {.prefill_ms = ms_between(s.since, clock_.now()), .cached_tokens = s.n_found};
        n_found_tokens_ += s.n_found;
        n_prompt_tokens_ += s.n_prompt();
      }
      accept(s, std::move(*token), bill);
    }
  }
}

// What its pages hold is of no use to other requests either.
void Engine::fail_without_numbers(const wire::Attempt& attempt) {
  Sequence s = std::move(*scheduler_.remove(attempt));
  pages_.forget(s.lease);
  fail(attempt, wire::Cause::numbers,
       str("group ", config_.me.key.name, " computed no finite numbers (NaN) from ", s.n_computed,
           " tokens: the model file, memory or a device there is damaged"));
  end(std::move(s));
}

void Engine::seal(Sequence s, Token first) {
  const wire::TicketName& ticket = s.ship->ticket.name;
  n_found_tokens_ += s.n_found;
  n_prompt_tokens_ += s.n_prompt();
  to_leaders_.push_back({.group = s.ship->group,
                         .message = wire::Sealed{.ticket = ticket,
                                                 .content = content_of(content_start_, s.request.prompt,
                                                                       config_.me.layouts[0].page_tokens()),
                                                 .first = std::move(first),
                                                 .prompt_logprobs = std::move(s.prompt_logprobs),
                                                 .prefill_ms = ms_between(s.since, clock_.now()),
                                                 .cached_tokens = s.n_found}});
  sender_.sealed(ticket, s.ship->group, std::move(s.lease), s.deadline);
  config_.milestones.reach("seal");
}

void Engine::accept(Sequence& s, Token token, const wire::Bill& bill) {
  const int index = s.n_generated();
  s.tokens.push_back(token.id);
  const Finish finish = finish_of(s, token.id);
  to_router_.push_back(wire::Tokens{.attempt = s.attempt,
                                    .first = index,
                                    .tokens = {std::move(token)},
                                    .finish = finish,
                                    .bill = bill,
                                    .prompt_logprobs = std::exchange(s.prompt_logprobs, {})});
  config_.milestones.reach("token");
  if (finish != Finish::none) scheduler_.remove(wire::Attempt(s.attempt));
}

Finish Engine::finish_of(const Sequence& s, int token) const {
  const auto& ends = config_.end_tokens;
  if (!s.request.ignore_eos && std::find(ends.begin(), ends.end(), token) != ends.end()) return Finish::stop;
  return s.n_generated() == s.request.max_tokens ? Finish::length : Finish::none;
}

}  // namespace ferry
