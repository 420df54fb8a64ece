// What messages do to a group. What its steps do: engine_steps.cc.

#include "core/engine/engine.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/handoff/fit.h"

namespace ferry {

namespace {

constexpr double kRetryAfterMs = 20;
constexpr Duration kStopPatience = std::chrono::seconds(1);
constexpr Duration kStatsInterval = std::chrono::milliseconds(200);
constexpr Duration kSignOfLife = std::chrono::seconds(1);  // the router hears something at least so often

ContentId content_start_of(const wire::GroupInfo& me) { return hash_of(name_of(me.layouts[0].dtype()), me.model_hash); }

}  // namespace

Engine::Engine(EngineConfig config, const Clock& clock)
    : config_(std::move(config)),
      clock_(clock),
      content_start_(content_start_of(config_.me)),
      pages_(config_.me.n_pages()),
      scheduler_(config_.limits, pages_,
                 {.page_tokens = config_.me.layouts[0].page_tokens(),
                  .content_start = content_start_,
                  .on = config_.reuse_pages}),
      receiver_({.page_tokens = config_.me.layouts[0].page_tokens(),
                 .content_start = content_start_,
                 .verify = config_.verify,
                 .reuse = config_.reuse_pages,
                 .most_quarantined = config_.me.n_pages() / 4,
                 .seed = config_.seed},
                pages_),
      sender_(static_cast<int>(config_.me.layouts.size())),
      peers_(config_.me.layouts),
      pace_(config_.limits.max_batch_tokens, config_.limits.step) {}

void Engine::handle(const wire::ToLeader& message) {
  std::visit([this](const auto& m) { on(m); }, message);
}

void Engine::handle(GroupId from, const wire::LinkMessage& message) {
  std::visit([&](const auto& m) { on(from, m); }, message);
}

// ---- pairs

void Engine::on(const wire::Introduce& m) {
  if (peers_.find(m.pairing)) return;  // said twice
  const auto& me = config_.me;
  auto why = nonsense_in(m.peer);
  if (!why) why = m.you_send ? misfit(me, m.peer) : misfit(m.peer, me);
  if (!why && peers_.over(m.pairing)) why = "that pair is over";
  if (why) return to_router_.push_back(wire::Unpaired{.pairing = m.pairing, .why = *why});
  // The router introduces a pair anew when one side may have lost it. It may also be that this one comes late: then the
  // router has to hear that the pair it holds to be good is none.
  if (const Peer* old = peers_.find(m.peer.key, m.you_send)) {
    to_router_.push_back(wire::Unpaired{.pairing = old->pairing, .why = "introduced anew"});
    lose_peer(old->id, "introduced anew");
  }
  opens_.push_back(peers_.add(m.pairing, m.peer, m.you_send).id);
  config_.milestones.reach("introduced");
}

void Engine::on(const wire::Connect& m) {
  Peer* peer = peers_.find(m.pairing);
  if (!peer || peer->connecting || m.addresses.size() != peer->info.layouts.size()) return;
  peer->connecting = true;
  connects_.push_back({.group = peer->id, .info = peer->info, .addresses = m.addresses, .send = peer->send});
  config_.milestones.reach("connect");
}

void Engine::on(GroupId from, const wire::PairHello& m) {
  Peer* peer = peers_.find(from);
  if (!peer || peer->send || !peer->sources.contains(m.rank)) return count(Receiver::Verdict::refused);
  if (peer->silent.erase(m.rank) == 0) return count(Receiver::Verdict::stale);
  if (!m.transport.empty()) peer->transports.insert(m.transport);
  take_slower(peer->there, m.speed);
  tell_if_ready(*peer);
}

void Engine::tell_if_ready(Peer& peer) {
  if (peer.send || !peer.ready() || std::exchange(peer.told, true)) return;
  to_router_.push_back(
      wire::Paired{.pairing = peer.pairing, .transport = peer.transport(), .there = peer.there, .back = peer.back});
  config_.milestones.reach("paired");
}

void Engine::on(const wire::Forget& m) {
  if (const Peer* peer = peers_.find(m.pairing)) lose_peer(peer->id, m.why);
}

// ---- requests

void Engine::on(const wire::Run& m) {
  if (scheduler_.holds(m.attempt)) return;  // said twice
  if (const auto why = refusal_of(m.request, m.request.max_length()))
    return fail(m.attempt, wire::Cause::request, *why);
  const Instant now = clock_.now();
  scheduler_.enqueue({.attempt = m.attempt,
                      .request = m.request,
                      .tokens = m.request.prompt,
                      .lease = {},
                      .ship = {},
                      .since = now,
                      .deadline = now + ms(m.deadline_ms)});
}

void Engine::on(const wire::Reserve& m) {
  if (scheduler_.holds(m.attempt)) return count(Receiver::Verdict::stale);
  if (const auto why = refusal_of(m.request, m.request.max_length()))
    return fail(m.attempt, wire::Cause::request, *why);
  const Peer* peer = peers_.find(m.pairing);
  if (!peer || peer->send || !peer->ready())
    return fail(m.attempt, wire::Cause::pair, str("group ", config_.me.key.name, " is not in that pair"));
  config_.milestones.reach("reserve");
  auto ticket = receiver_.given(m.attempt);  // it is said twice: what was given is no reason to be full
  if (!ticket && has_room())
    ticket =
        receiver_.reserve(m, *peer, clock_.now() + ms(m.deadline_ms), scheduler_.n_growing() + receiver_.n_reserved());
  if (ticket) {
    to_router_.push_back(wire::Reserved{.ticket = std::move(*ticket)});
    config_.milestones.reach("reserved");
  } else {
    receiver_.abort(m.attempt);  // full once, full for this attempt: the router has gone on
    to_router_.push_back(wire::Full{.attempt = m.attempt, .retry_after_ms = kRetryAfterMs});
  }
}

// Sequences that run, and those that will, each need a page now and then; one that gave its pages up comes first.
bool Engine::has_room() const {
  return scheduler_.n_running() + receiver_.n_reserved() < config_.limits.max_sequences &&
         !scheduler_.waits_for_its_turn();
}

void Engine::on(const wire::Prefill& m) {
  const wire::Attempt& attempt = m.ticket.name.attempt;
  const Peer* peer = peers_.find(m.ticket.pairing);
  if (!peer || !peer->send || !peer->connecting)
    return fail(attempt, wire::Cause::pair, str("group ", config_.me.key.name, " is not in that pair"));
  if (const auto why = refusal_of(m.request, static_cast<int>(m.request.prompt.size())))
    return fail(attempt, wire::Cause::request, *why);
  if (const auto why = refusal_of(m.ticket, *peer, m.request)) {  // the decode group's fault: another may serve it
    count(Receiver::Verdict::refused);
    return fail(attempt, wire::Cause::transfer, *why);
  }
  if (!sender_.begin(m.ticket.name, peer->id)) return count(Receiver::Verdict::stale);
  config_.milestones.reach("prefill");
  const Instant now = clock_.now();
  scheduler_.enqueue({.attempt = attempt,
                      .request = m.request,
                      .tokens = m.request.prompt,
                      .lease = {},
                      .ship = ShipTarget{.group = peer->id, .ticket = m.ticket},
                      .since = now,
                      .deadline = now + ms(m.deadline_ms),
                      .n_shipped = m.ticket.n_cached_tokens});
}

void Engine::on(const wire::Abort& m) {
  config_.milestones.reach("abort");
  bool known = receiver_.abort(m.attempt) || sender_.give_up(m.attempt);
  if (auto sequence = scheduler_.remove(m.attempt)) {
    known = sequence->ship.has_value();
    end(std::move(*sequence));
  }
  if (!known) to_router_.push_back(wire::Aborted{.attempt = m.attempt});  // others say so when they end
  tell_ends();
}

// ---- handoffs

void Engine::count(Receiver::Verdict verdict) {
  n_stale_ += verdict == Receiver::Verdict::stale;
  n_refused_ += verdict == Receiver::Verdict::refused;
}

void Engine::on(GroupId from, const wire::Landed& m) {
  config_.milestones.reach("landed");
  count(receiver_.landed(from, m, clock_.now()));
  attach_arrivals();
  tell_ends();
}

void Engine::on(GroupId from, const wire::Sealed& m) {
  config_.milestones.reach("sealed");
  count(receiver_.sealed(from, m, clock_.now()));
  attach_arrivals();
  tell_ends();
}

void Engine::on(GroupId from, const wire::Void& m) {
  const Peer* peer = peers_.find(from);
  if (!peer || !peer->send) return count(Receiver::Verdict::refused);
  config_.milestones.reach("void");
  auto removed = scheduler_.remove_if([&](const Sequence& s) { return s.ship && s.ship->ticket.name == m.ticket; });
  sender_.give_up(m.ticket, from, removed.empty() ? PageLease() : std::move(removed.front().lease));
}

void Engine::attach_arrivals() {
  for (Receiver::Arrival& a : receiver_.take_arrivals()) {
    a.bill.attach_ms = ms_between(a.ready, clock_.now());
    for (size_t i = 0; i < a.ticket.pages.size(); ++i)
      check(pages_.generation(a.ticket.pages[i].page) == a.ticket.pages[i].generation,
            "a reserved page stays reserved");
    n_found_tokens_ += a.bill.kept_tokens;
    n_prompt_tokens_ += a.request.prompt.size();
    Sequence& s = scheduler_.attach({.attempt = a.ticket.name.attempt,
                                     .request = std::move(a.request),
                                     .tokens = {},
                                     .lease = std::move(a.lease),
                                     .ship = {},
                                     .since = clock_.now(),
                                     .deadline = a.deadline,
                                     .prompt_logprobs = std::move(a.prompt_logprobs)});
    s.tokens = s.request.prompt;
    s.n_computed = s.n_prompt();
    scheduler_.publish(s);
    config_.milestones.reach("attached");
    accept(s, std::move(a.first), a.bill);
  }
}

// ---- what is refused

std::optional<std::string> Engine::refusal_of(const Request& request, int n_tokens) const {
  const wire::GroupInfo& me = config_.me;
  const int n_pages = me.layouts[0].pages_for(n_tokens);
  if (request.prompt.empty()) return "the prompt is empty";
  if (request.n_told < 0 || request.n_told > static_cast<int>(request.prompt.size()))
    return str(request.n_told, " tokens of a prompt of ", request.prompt.size(), " cannot be generated ones");
  for (const LogitBias& bias : request.sampling.logit_bias) {
    if (bias.id < 0 || bias.id >= config_.n_vocab)
      return str("token id ", bias.id, " is not in the vocabulary of ", config_.n_vocab);
  }
  if (request.max_tokens < 1) return str("max_tokens is ", request.max_tokens, "; it must be at least 1");
  if (request.prompt_logprobs && request.n_logprobs < 0) return "logprobs of the prompt, but none of the answer";
  if (const size_t n = request.prompt_logprob_bytes(); n > kMostPromptLogprobBytes)
    return str("logprobs of ", request.prompt.size(), " tokens of the prompt are ", n, " bytes; at most ",
               kMostPromptLogprobBytes, " are told: ask for fewer alternatives, or for a shorter prompt");
  for (int token : request.prompt) {
    if (token < 0 || token >= config_.n_vocab)
      return str("token id ", token, " is not in the vocabulary of ", config_.n_vocab);
  }
  if (n_tokens > me.max_context) {
    return str("prompt of ", request.prompt.size(), " tokens and max_tokens ", request.max_tokens,
               " exceed the context of ", me.max_context, " tokens");
  }
  if (n_pages > me.n_pages()) {
    return str("prompt of ", request.prompt.size(), " tokens and max_tokens ", request.max_tokens, " need ", n_pages,
               " KV pages; group ", me.key.name, " has ", me.n_pages(), " (kv.memory)");
  }
  return std::nullopt;
}

// A ticket comes by way of the router; what it names must lie within what the peer said it has.
std::optional<std::string> Engine::refusal_of(const wire::Ticket& ticket, const Peer& peer,
                                              const Request& request) const {
  const KvLayout& layout = peer.info.layouts[0];
  const int n_prompt = static_cast<int>(request.prompt.size());
  const int n_pages = layout.pages_for(n_prompt);
  if (static_cast<int>(ticket.pages.size()) != n_pages)
    return str("a ticket of ", ticket.pages.size(), " pages for a prompt that needs ", n_pages);
  for (const wire::PageAtLease& page : ticket.pages) {
    if (page.page < 0 || page.page >= layout.n_pages())
      return str("a ticket for page ", page.page, "; ", peer.info.key.name, " has ", layout.n_pages());
  }
  const int kept = ticket.n_cached_tokens;
  if (kept < 0 || kept >= n_prompt || kept % layout.page_tokens() != 0)
    return str("a ticket that keeps ", kept, " of ", n_prompt, " tokens");
  return std::nullopt;
}

// ---- ends before time

void Engine::fail(const wire::Attempt& attempt, wire::Cause cause, std::string why) {
  to_router_.push_back(wire::Failed{.attempt = attempt, .cause = cause, .why = std::move(why)});
}

void Engine::end(Sequence sequence) {
  if (sequence.ship) sender_.give_up(sequence.ship->ticket.name, sequence.ship->group, std::move(sequence.lease));
}

void Engine::lose_peer(GroupId id, const std::string& why) {
  const Peer* peer = peers_.find(id);
  if (!peer) return;
  const std::string reason = str("group ", peer->info.key.name, " is gone: ", why);
  // The next step closes the channel before anything else; pages follow when that is told.
  closes_.push_back(id);
  std::erase(opens_, id);
  std::erase_if(connects_, [id](const ConnectOrder& order) { return order.group == id; });
  for (Sequence& s : scheduler_.remove_if([id](const Sequence& x) { return x.ship && x.ship->group == id; })) {
    fail(s.attempt, wire::Cause::pair, reason);
    end(std::move(s));
  }
  sender_.lost(id);
  for (const wire::Attempt& attempt : receiver_.lost(id)) fail(attempt, wire::Cause::pair, reason);
  peers_.remove(id);
}

void Engine::router_lost() {
  end_everything();
  to_router_.clear();
  told_stats_ = {};
  told_at_ = {};
}

void Engine::on(const wire::Stop&) {
  end_everything();
  stop_by_ = clock_.now() + kStopPatience;
}

void Engine::end_everything() {
  for (Sequence& s : scheduler_.remove_if([](const Sequence&) { return true; })) end(std::move(s));
  receiver_.abort_all();
  sender_.give_up_all();
}

void Engine::tick() {
  const Instant now = clock_.now();
  for (const wire::Attempt& attempt : receiver_.expire(now)) {
    fail(attempt, wire::Cause::deadline, str("deadline passed while the KV was on its way to ", config_.me.key.name));
  }
  for (Sequence& s : scheduler_.remove_if([now](const Sequence& x) { return x.deadline <= now; })) {
    fail(s.attempt, wire::Cause::deadline,
         str("deadline passed after ", s.n_computed, " tokens were computed in ", config_.me.key.name));
    end(std::move(s));
  }
  sender_.expire(now);
  for (const Receiver::Voided& v : receiver_.take_voided(now)) {
    if (peers_.find(v.group)) to_leaders_.push_back({.group = v.group, .message = wire::Void{.ticket = v.ticket}});
  }
  tell_ends();
  tell_stats(now);
}

void Engine::tell_ends() {
  for (Receiver::Failure& failure : receiver_.take_failures())
    fail(failure.attempt, wire::Cause::transfer, std::move(failure.why));
  for (const auto& ended : {receiver_.take_ended(), sender_.take_ended()}) {
    for (const wire::Attempt& attempt : ended) to_router_.push_back(wire::Aborted{.attempt = attempt});
  }
}

// ---- counts

wire::Stats Engine::stats() const {
  const PageAllocator::Counts pages = pages_.counts();
  return {
      .pages = {.free = pages.free, .leased = pages.leased, .shared = pages.shared, .quarantined = pages.quarantined},
      .n_waiting = scheduler_.n_waiting(),
      .n_running = scheduler_.n_running(),
      .n_reserved = receiver_.n_reserved(),
      .n_shipping = sender_.n_shipping(),
      .n_stale = n_stale_,
      .n_refused = n_refused_,
      .n_found_tokens = n_found_tokens_,
      .n_prompt_tokens = n_prompt_tokens_,
      .n_preempted = scheduler_.n_preempted()};
}

void Engine::tell_stats(Instant now) {
  if (now < tell_stats_at_) return;
  tell_stats_at_ = now + kStatsInterval;
  const wire::Stats now_stats = stats();
  if (now_stats == told_stats_ && now - told_at_ < kSignOfLife) return;
  told_stats_ = now_stats;
  told_at_ = now;
  to_router_.push_back(now_stats);
}

}  // namespace ferry
