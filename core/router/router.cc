#include "core/router/router.h"

#include <algorithm>

#include "core/base/error.h"

namespace ferry {

namespace {
// More attempts than that mean that something is wrong with the request, not with the groups.
constexpr int kMostAttempts = 16;
constexpr Duration kAbortAgain = std::chrono::milliseconds(300);

}  // namespace

Router::Router(const RouterRules& rules, const Clock& clock)
    : rules_(rules), clock_(clock), fleet_(rules.paths, rules.epoch, clock), queue_(rules.most_queued) {}

// ---- requests

void Router::submit(Request request, Duration budget, const Tenant& tenant) {
  const Instant now = clock_.now();
  const RequestId id = request.id;
  ++counters_.submitted;
  Served& served = served_[id];
  served = {};
  served.request = std::move(request);
  served.tenant = tenant;
  served.attempt = {.router = rules_.epoch, .request = id, .attempt = 0};
  served.submitted = now;
  served.deadline = now + budget;
  if (queue_.push(id, tenant, cost_of(served.request))) return;
  fail(id, Fault::overloaded,
       str("too many requests of ", name_of(tenant.priority), " priority wait: ", queue_.size(tenant.priority),
           ". Try again later"));
}

void Router::cancel(RequestId id) {
  if (!served_.contains(id)) return;
  ++counters_.cancelled;
  abort_at_groups(served_.at(id));
  end(id);
}

void Router::end(RequestId id) {
  Served& served = served_.at(id);
  for (const Account::Retry& retry : served.account.retries) ++counters_.retries[static_cast<size_t>(retry.rung)];
  if (served.stage == Served::Stage::waiting && !queue_.remove(id)) std::erase(again_, id);
  release(served);
  served_.erase(id);
}

void Router::fail(RequestId id, Fault fault, const std::string& why) {
  Served& served = served_.at(id);
  ++counters_.failed;
  served.account.total_ms = ms_between(served.submitted, clock_.now());
  events_.push_back({.id = id, .tokens = {}, .error = why, .fault = fault, .account = served.account});
  abort_at_groups(served);
  end(id);
}

void Router::fail_waiting(const std::string& why) {
  for (const RequestId id : std::deque<RequestId>(again_)) fail(id, Fault::service, why);
  for (const RequestId id : queue_.all()) fail(id, Fault::service, why);
}

// ---- aborts: said until they are answered

void Router::abort(StreamId stream, const wire::Attempt& attempt) {
  if (!fleet_.contains(stream)) return;
  rules_.milestones.reach("abort");
  to_leaders_.emplace_back(stream, wire::Abort{.attempt = attempt});
  aborting_[{.stream = stream, .attempt = attempt}] = clock_.now() + kAbortAgain;
}

void Router::abort_at_groups(const Served& served) {
  if (!served.route) return;
  abort(served.route->decode, served.attempt);
  if (!served.route->colocated()) abort(served.route->prefill, served.attempt);
}

void Router::abort_again() {
  const Instant now = clock_.now();
  for (auto& [aborting, again] : aborting_) {
    if (now < again) continue;
    again = now + kAbortAgain;
    to_leaders_.emplace_back(aborting.stream, wire::Abort{.attempt = aborting.attempt});
  }
}

void Router::on(StreamId stream, const wire::Aborted& m) {
  aborting_.erase({.stream = stream, .attempt = m.attempt});
  // It ended there without our having asked: that group has lost its peer, say. Of what decodes, prefill has no say.
  const auto found = served_.find(m.attempt.request);
  if (found == served_.end() || found->second.attempt != m.attempt || !found->second.route) return;
  const Served& served = found->second;
  if (served.route->decode == stream || (served.route->prefill == stream && served.stage != Served::Stage::decoding))
    retry(found->second, str(fleet_.at(stream).info.key.name, " ended it"));
}

void Router::release(Served& served) {
  if (!served.route) return;
  fleet_.prefilled(*served.route, std::exchange(served.n_to_prefill, 0));
  fleet_.end(*served.route);
  served.route.reset();
}

// ---- the queue

void Router::tick() {
  const Instant now = clock_.now();
  // Of what time is left, half may pass without a sign of life: the other half is for the next attempt.
  // A long queue is no reason to begin anew: groups that say something, and they do so all the time, will come to it.
  // Whose own progress is sign enough needs no look at its groups: of tens of thousands that is nearly all.
  const auto gave_no_sign = [&](const Served& s) {
    const Duration left = s.deadline - now;
    return now - s.progress >= left && now - fleet_.sign_of_life(*s.route, s.progress) >= left;
  };
  std::vector<RequestId> expired, quiet;
  for (const auto& [id, served] : served_) {
    if (served.deadline <= now) {
      expired.push_back(id);
    } else if (served.route && gave_no_sign(served)) {
      quiet.push_back(id);
    }
  }
  for (const RequestId id : expired)
    fail(id, Fault::deadline, str("deadline passed while ", whereabouts(served_.at(id))));
  for (const RequestId id : quiet) fleet_.suspect(*served_.at(id).route, served_.at(id).progress);
  for (const RequestId id : quiet) retry(served_.at(id), "nothing came in half of the time that was left");
  for (const Newcomer& n : std::exchange(newcomers_, {})) admit(n.stream, n.hello, n.patience);
  fleet_.pairs().tick();
  abort_again();
  serve();
}

void Router::serve() {
  assign_again();
  assign_first();
  fail_drained();
}

void Router::assign_first() {
  while (const auto id = queue_.front()) {
    Served& served = served_.at(*id);
    const auto route = first_route(served);
    if (!route) return;  // nothing is free: those behind it wait for their turn
    queue_.pop();
    assign(served, *route);
  }
}

void Router::assign_again() {
  for (auto id = again_.begin(); id != again_.end();) {
    Served& served = served_.at(*id);
    const auto next = next_route(served);
    if (!next) {
      ++id;
      continue;
    }
    id = again_.erase(id);
    const auto& [route, rung] = *next;
    Account& account = served.account;
    const double at_ms = ms_between(served.submitted, clock_.now());
    account.retries.push_back({rung, served.why_failed, account.prefill, account.decode, at_ms});
    served.same_pair_tried |= rung == Rung::same_pair;
    assign(served, route);
  }
}

// What could be assigned has been: whoever waits for groups that are all drained would do so until his deadline.
void Router::fail_drained() {
  if (fleet_.all_drained(wire::Role::prefill).empty() && fleet_.all_drained(wire::Role::decode).empty()) return;
  std::vector<RequestId> waiting = queue_.all();
  waiting.insert(waiting.end(), again_.begin(), again_.end());
  for (const RequestId id : waiting) {
    if (const std::string why = drained_for(served_.at(id)); !why.empty()) fail(id, Fault::service, why);
  }
}

// Empty: it can be served without those that are drained.
std::string Router::drained_for(const Served& served) const {
  const bool decode_suffices = served.failed ? rules_.colocated_retry : is_short(served);
  for (const wire::Role role : {wire::Role::prefill, wire::Role::decode}) {
    if (role == wire::Role::prefill && decode_suffices) continue;
    const std::vector<std::string> names = fleet_.all_drained(role);
    if (names.empty()) continue;
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    return str("all ", role == wire::Role::prefill ? "prefill" : "decode", " groups are drained: ", list);
  }
  return {};
}

bool Router::is_short(const Served& served) const {
  return served.request.prompt.size() < static_cast<size_t>(rules_.colocate_below);
}

std::optional<Fleet::Route> Router::first_route(Served& served) const {
  const auto alone = is_short(served) ? fleet_.best_colocated() : std::nullopt;
  served.account.short_prompt = alone.has_value();
  return alone ? alone : fleet_.best_route(served.request.prompt, {});
}

std::optional<Router::Climbed> Router::next_route(const Served& served) const {
  const auto with = [](const std::optional<Route>& route, Rung rung) {
    return route ? std::optional(Climbed(*route, rung)) : std::nullopt;
  };
  const Route& last = *served.failed;
  const bool paired = fleet_.ready_pair(last) != nullptr;
  if (!served.same_pair_tried && paired && fleet_.may_use(last.prefill) && fleet_.may_use(last.decode)) {
    return fleet_.is_free(last) ? with(last, Rung::same_pair) : std::nullopt;
  }
  if (const auto other = fleet_.best_route(served.request.prompt, served.failed_prefills))
    return with(other, other->prefill == last.prefill ? Rung::other_decode : Rung::other_prefill);
  if (rules_.colocated_retry) {
    if (const auto alone = fleet_.best_colocated(last.decode)) return with(alone, Rung::colocated);
  }
  if (const auto any = fleet_.best_route(served.request.prompt, {}))
    return with(any, Rung::same_pair);  // what failed is back, and there is no other
  return fleet_.all_decode_silent() && paired ? with(last, Rung::same_pair) : std::nullopt;
}

// What is left to do of a request: what was told is part of the prompt now.
Request Router::rest_of(const Served& served) const {
  Request rest = served.request;
  rest.prompt.insert(rest.prompt.end(), served.told.begin(), served.told.end());
  rest.n_told = static_cast<int>(served.told.size());
  rest.max_tokens -= rest.n_told;
  rest.prompt_logprobs = rest.prompt_logprobs && served.told.empty();  // they come with the first token
  return rest;
}

void Router::assign(Served& served, const Route& route) {
  const Instant now = clock_.now();
  served.route = route;
  served.assigned = served.progress = now;
  served.n_of_attempt = 0;
  ++served.attempt.attempt;
  const Request rest = rest_of(served);
  served.n_to_prefill = fleet_.begin(route, rest.prompt);
  served.account.prefill = fleet_.at(route.prefill).info.key.name;
  served.account.decode = fleet_.at(route.decode).info.key.name;
  served.account.attempts += 1;
  if (!served.failed) served.account.queue_ms = ms_between(served.submitted, now);
  const double deadline_ms = ms_between(now, served.deadline);
  if (route.colocated()) {
    served.stage = Served::Stage::prefilling;
    served.account.transport.clear();
    to_leaders_.emplace_back(route.decode,
                             wire::Run{.attempt = served.attempt, .request = rest, .deadline_ms = deadline_ms});
    return;
  }
  served.stage = Served::Stage::reserving;
  rules_.milestones.reach("reserve");
  const Pairs::Pair* pair = fleet_.ready_pair(route);
  served.account.transport = pair->report.transport;
  to_leaders_.emplace_back(
      route.decode,
      wire::Reserve{.attempt = served.attempt, .pairing = pair->pairing, .request = rest, .deadline_ms = deadline_ms});
}

// ---- what fails, and is tried again

void Router::retry(Served& served, const std::string& why) {
  const RequestId id = served.request.id;
  if (served.account.attempts >= kMostAttempts)
    return fail(id, Fault::service, str(why, "; tried ", kMostAttempts, " times"));
  abort_at_groups(served);
  served.failed = served.route;
  // Where the decode group is gone, its prefill group is not to blame.
  if (fleet_.contains(served.route->decode)) served.failed_prefills.insert(served.route->prefill);
  served.why_failed = why;
  release(served);
  served.stage = Served::Stage::waiting;
  again_.push_front(id);
}

void Router::retry_all_on(const std::string& why, const std::function<bool(const Served&)>& affected) {
  std::vector<RequestId> ids;
  for (const auto& [id, served] : served_) {
    if (served.route && affected(served)) ids.push_back(id);
  }
  for (const RequestId id : ids) retry(served_.at(id), why);
}

}  // namespace ferry
