#include "core/engine/engine.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/error.h"

namespace ferry {

namespace {

// While puts are in flight the ranks are asked this often how they fare.
constexpr Duration kHeartbeat = std::chrono::milliseconds(5);
constexpr double kRetryAfterMs = 20;
constexpr Duration kStopPatience = std::chrono::seconds(1);

}  // namespace

Engine::Engine(EngineConfig config, const Clock& clock)
    : config_(std::move(config)),
      clock_(clock),
      pages_(config_.me.n_pages),
      scheduler_(config_.limits, pages_, config_.me.layouts[0].page_tokens()),
      receiver_(config_.me.key, config_.me.model_hash, pages_, config_.me.layouts[0].page_tokens()),
      sender_(static_cast<int>(config_.me.layouts.size())),
      peers_(config_.me.layouts) {}

// ---- messages

void Engine::handle(const wire::ToLeader& message) {
  std::visit([this](const auto& m) { on(m); }, message);
}

void Engine::handle(const wire::LinkMessage& message) {
  std::visit([this](const auto& m) { on(m); }, message);
}

void Engine::on(const wire::Introduce& m) {
  if (const Peer* peer = peers_.add(m.peer, m.you_send)) {
    connects_.push_back({.group = peer->id, .info = m.peer, .send = m.you_send});
  }
  const Peer* peer = peers_.find(m.peer.key, m.you_send);
  if (!m.you_send && peer->paired()) {
    to_router_.push_back(wire::Paired{.prefill = m.peer.key, .transport = peer->transport()});
  }
}

void Engine::on(const wire::PairHello& m) {
  const Peer* peer = peers_.greeted(m);
  if (peer) to_router_.push_back(wire::Paired{.prefill = m.prefill, .transport = peer->transport()});
}

void Engine::on(const wire::Forget& m) { lose_peer(m.peer, m.why); }

void Engine::on(const wire::Run& m) {
  if (const auto why = refusal_of(m.request, m.request.max_length())) return fail(m.attempt, *why);
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
  if (const auto why = refusal_of(m.request, m.request.max_length())) return fail(m.attempt, *why);
  const Peer* peer = peers_.find(m.prefill, false);
  if (!peer) return fail(m.attempt, str("group ", config_.me.key.name, " is not connected with ", m.prefill.name));
  std::optional<wire::Ticket> ticket;
  if (scheduler_.n_running() + receiver_.n_reserved() < config_.limits.max_sequences) {
    ticket = receiver_.reserve(m, peer->sources, clock_.now() + ms(m.deadline_ms));
  }
  if (ticket) {
    to_router_.push_back(wire::Reserved{.ticket = std::move(*ticket)});
  } else {
    to_router_.push_back(wire::Full{.attempt = m.attempt, .retry_after_ms = kRetryAfterMs});
  }
}

void Engine::on(const wire::Prefill& m) {
  const wire::Attempt attempt = m.ticket.attempt;
  if (const auto why = refusal_of(m.request, static_cast<int>(m.request.prompt.size()))) return fail(attempt, *why);
  const Peer* peer = peers_.find(m.ticket.decode, true);
  if (!peer) return fail(attempt, str("group ", config_.me.key.name, " is not connected with ", m.ticket.decode.name));
  const Instant now = clock_.now();
  scheduler_.enqueue({.attempt = attempt,
                      .request = m.request,
                      .tokens = m.request.prompt,
                      .lease = {},
                      .ship = ShipTarget{.group = peer->id, .ticket = m.ticket},
                      .since = now,
                      .deadline = now + ms(m.deadline_ms)});
}

void Engine::on(const wire::Abort& m) {
  receiver_.abort(m.attempt);
  if (auto sequence = scheduler_.remove(m.attempt)) return end(std::move(*sequence));
  // Pages are reserved for it at the decode group, which waits to hear that nothing is in flight: so say it even of an
  // attempt that never got here.
  sender_.give_up(m.attempt);
  const Peer* peer = peers_.find(m.decode, true);
  if (peer && !sender_.knows(m.attempt)) sender_.give_up(m.attempt, peer->id, {});
}

std::optional<std::string> Engine::refusal_of(const Request& request, int n_tokens) const {
  const wire::GroupInfo& me = config_.me;
  const int n_pages = me.layouts[0].pages_for(n_tokens);
  if (request.prompt.empty()) return "the prompt is empty";
  if (request.max_tokens < 1) return str("max_tokens is ", request.max_tokens, "; it must be at least 1");
  for (int token : request.prompt) {
    if (token < 0 || token >= config_.n_vocab)
      return str("token id ", token, " is not in the vocabulary of ", config_.n_vocab);
  }
  if (n_tokens > me.max_context) {
    return str("prompt of ", request.prompt.size(), " tokens and max_tokens ", request.max_tokens,
               " exceed the context of ", me.max_context, " tokens");
  }
  if (n_pages > me.n_pages) {
    return str("prompt of ", request.prompt.size(), " tokens and max_tokens ", request.max_tokens, " need ", n_pages,
               " KV pages; group ", me.key.name, " has ", me.n_pages, " (kv.memory)");
  }
  return std::nullopt;
}

// ---- ends before time

void Engine::fail(const wire::Attempt& attempt, std::string why) {
  to_router_.push_back(wire::Failed{.attempt = attempt, .why = std::move(why)});
}

void Engine::end(Sequence sequence) {
  if (sequence.ship) sender_.give_up(sequence.attempt, sequence.ship->group, std::move(sequence.lease));
}

void Engine::lose_peer(const wire::GroupKey& key, const std::string& why) {
  for (const bool send : {true, false}) {
    const Peer* peer = peers_.find(key, send);
    if (!peer) continue;
    const GroupId id = peer->id;
    // The next step disconnects before anything else: from then on its pages can be used again.
    disconnects_.push_back(id);
    std::erase_if(connects_, [id](const ConnectOrder& order) { return order.group == id; });
    for (const Sequence& s : scheduler_.remove_if([id](const Sequence& x) { return x.ship && x.ship->group == id; })) {
      fail(s.attempt, str("group ", key.name, " is gone: ", why));
    }
    sender_.forget(id);
    if (!send) {
      for (const wire::Attempt& attempt : receiver_.forget(key))
        fail(attempt, str("group ", key.name, " is gone: ", why));
    }
    peers_.remove(id);
  }
}

void Engine::router_lost() {
  end_everything();
  to_router_.clear();
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
    fail(attempt, str("deadline passed while the KV was on its way to ", config_.me.key.name));
  }
  for (Sequence& s : scheduler_.remove_if([now](const Sequence& x) { return x.deadline <= now; })) {
    fail(s.attempt, str("deadline passed after ", s.n_computed, " tokens were computed in ", config_.me.key.name));
    end(std::move(s));
  }
  sender_.expire(now);
  for (Receiver::Failure& failure : receiver_.take_failures()) fail(failure.attempt, std::move(failure.why));
  attach_arrivals();
}

// ---- steps

std::optional<Step> Engine::next_step() {
  const Instant now = clock_.now();
  Step step = {.id = next_step_id_,
               .batch = {},
               .connects = std::exchange(connects_, {}),
               .disconnects = std::exchange(disconnects_, {}),
               .ships = {},
               .gives_up = sender_.take_give_ups(),
               .last = stop_by_ && (now >= *stop_by_ || (sender_.idle() && receiver_.n_quarantined() == 0))};
  plan_ = scheduler_.plan();
  order_shipping(plan_, step);
  step.batch = std::move(plan_.batch);
  const bool has_orders = !step.connects.empty() || !step.disconnects.empty() || !step.gives_up.empty() || step.last;
  const bool heartbeat = !sender_.idle() && now - last_step_ >= kHeartbeat;
  if (step.batch.n_rows() == 0 && !has_orders && !heartbeat) return std::nullopt;
  ++next_step_id_;
  last_step_ = now;
  return step;
}

void Engine::order_shipping(const Scheduler::Plan& plan, Step& step) const {
  for (size_t i = 0; i < plan.sequences.size(); ++i) {
    const Sequence& s = *plan.sequences[i].sequence;
    if (!s.ship) continue;
    const bool last = s.n_computed == s.n_prompt(), deferred = config_.overlap == Overlap::after_prefill;
    if (deferred && !last) continue;
    step.ships.push_back({.attempt = s.attempt,
                          .group = s.ship->group,
                          .sequence = static_cast<int>(i),
                          .tokens = deferred ? Range{0, s.n_prompt()} : plan.sequences[i].tokens,
                          .pages = s.ship->ticket.pages,
                          .deferred = deferred,
                          .last = last});
  }
}

void Engine::finish(const StepResult& result) {
  const size_t n_vocab = config_.n_vocab;
  for (const Scheduler::Planned& planned : std::exchange(plan_.sequences, {})) {
    if (planned.logit_row < 0) continue;
    Sequence& s = *planned.sequence;
    Token token = next_token(result.logits.subspan(planned.logit_row * n_vocab, n_vocab), s.request,
                             static_cast<int>(s.tokens.size()));
    if (s.ship) {
      seal(std::move(*scheduler_.remove(s.attempt)), std::move(token));
    } else {
      const wire::Bill bill = {.prefill_ms = s.n_generated() == 0 ? ms_between(s.since, clock_.now()) : 0};
      accept(s, std::move(token), bill);
    }
  }
  for (size_t rank = 0; rank < result.receipts.size(); ++rank) {
    for (const wire::Attempt& attempt : result.receipts[rank].drained) sender_.drained(attempt, static_cast<int>(rank));
    for (const GroupFailure& failure : result.receipts[rank].failures) {
      if (const Peer* peer = peers_.find(failure.group)) lose_peer(wire::GroupKey(peer->info.key), failure.why);
    }
  }
}

void Engine::seal(Sequence s, Token first) {
  to_leaders_.push_back({.group = s.ship->group,
                         .message = wire::Sealed{.attempt = s.attempt,
                                                 .prefill = config_.me.key,
                                                 .content = content_id(s.request.prompt, config_.me.model_hash),
                                                 .first = std::move(first),
                                                 .prefill_ms = ms_between(s.since, clock_.now())}});
  sender_.sealed(s.attempt, s.ship->group, std::move(s.lease), s.deadline);
}

void Engine::attach_arrivals() {
  for (Receiver::Arrival& a : receiver_.take_arrivals()) {
    const Peer* peer = peers_.find(a.order.prefill, false);
    if (peer) to_leaders_.push_back({.group = peer->id, .message = wire::Received{.attempt = a.order.attempt}});
    a.bill.attach_ms = ms_between(a.landed, clock_.now());
    const wire::Attempt attempt = a.order.attempt;
    Sequence& s = scheduler_.attach({.attempt = attempt,
                                     .request = std::move(a.order.request),
                                     .tokens = {},
                                     .lease = std::move(a.lease),
                                     .ship = {},
                                     .since = clock_.now(),
                                     .deadline = a.deadline});
    s.tokens = s.request.prompt;
    s.n_computed = s.n_prompt();
    accept(s, std::move(a.first), a.bill);
  }
}

void Engine::accept(Sequence& s, Token token, const wire::Bill& bill) {
  const int index = s.n_generated();
  s.tokens.push_back(token.id);
  const Finish finish = finish_of(s, token.id);
  to_router_.push_back(
      wire::Tokens{.attempt = s.attempt, .first = index, .tokens = {std::move(token)}, .finish = finish, .bill = bill});
  if (finish != Finish::none) scheduler_.remove(wire::Attempt(s.attempt));
}

Finish Engine::finish_of(const Sequence& s, int token) const {
  const auto& ends = config_.end_tokens;
  if (!s.request.ignore_eos && std::find(ends.begin(), ends.end(), token) != ends.end()) return Finish::stop;
  return s.n_generated() == s.request.max_tokens ? Finish::length : Finish::none;
}

}  // namespace ferry
