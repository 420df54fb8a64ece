#include "core/router/router.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "core/handoff/fit.h"

namespace ferry {

using wire::Role;

namespace {
// More attempts than that mean that something is wrong with the request, not with the groups.
constexpr int kMostAttempts = 16;
constexpr Duration kAbortAgain = std::chrono::milliseconds(300);
constexpr Duration kNamePatience = std::chrono::seconds(4);  // more than it takes to notice a dead group
}  // namespace

Router::Router(RouterRules rules, const Clock& clock)
    : rules_(rules), clock_(clock), pairs_(rules.paths, rules.epoch, clock) {}

// ---- requests

void Router::submit(Request request, Duration budget) {
  const Instant now = clock_.now();
  const RequestId id = request.id;
  ++counters_.submitted;
  Served& served = served_[id];
  served = {};
  served.request = std::move(request);
  served.attempt = {.router = rules_.epoch, .request = id, .attempt = 0};
  served.submitted = now;
  served.deadline = now + budget;
  if (queue_.size() >= rules_.most_queued) {
    return fail(id, Fault::overloaded, str("too many requests wait: ", queue_.size(), ". Try again later"));
  }
  queue_.push_back(id);
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
  release(served);
  served_.erase(id);
  std::erase(queue_, id);
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
  for (const RequestId id : std::deque<RequestId>(queue_)) fail(id, Fault::service, why);
}

// ---- aborts: said until they are answered

void Router::abort(StreamId stream, const wire::Attempt& attempt) {
  if (!groups_.contains(stream)) return;
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
    retry(found->second, str(groups_.at(stream).info.key.name, " ended it"));
}

void Router::release(Served& served) {
  if (!served.route) return;
  for (const StreamId stream : std::set{served.route->prefill, served.route->decode}) {
    if (!groups_.contains(stream)) continue;
    --groups_.at(stream).n_requests;
  }
  std::erase_if(full_until_, [&](const auto& full) { return full.first.second == served.route->decode; });
  served.route.reset();
}

// ---- the queue

void Router::tick() {
  const Instant now = clock_.now();
  std::vector<RequestId> expired;
  for (const auto& [id, served] : served_) {
    if (served.deadline <= now) expired.push_back(id);
  }
  for (const RequestId id : expired)
    fail(id, Fault::deadline, str("deadline passed while ", whereabouts(served_.at(id))));
  // Of what time is left, half may pass without a sign of life: the other half is for the next attempt.
  const auto gave_no_sign = [&](const Served& s) { return now - sign_of_life(s) >= s.deadline - now; };
  for (const auto& [id, served] : served_) {
    if (served.route && gave_no_sign(served)) suspect(served);
  }
  retry_all_on("nothing came in half of the time that was left", gave_no_sign);
  for (const Newcomer& n : std::exchange(newcomers_, {})) admit(n.stream, n.hello, n.patience);
  pairs_.tick();
  abort_again();
  serve();
}

void Router::serve() {
  for (size_t i = 0; i < queue_.size();) {
    Served& served = served_.at(queue_[i]);
    const auto next = next_route(served);
    if (!next && !served.failed) return;  // nothing is free: those behind it wait for their turn
    if (!next) {
      ++i;
      continue;
    }
    queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(i));
    if (next->second) {
      served.account.retries.push_back({.rung = *next->second, .why = served.why_failed});
      served.same_pair_tried |= *next->second == Rung::same_pair;
    }
    assign(served, next->first);
  }
}

bool Router::is_free(StreamId stream) const {
  const auto found = groups_.find(stream);
  return found != groups_.end() && !found->second.silent && found->second.n_requests < found->second.info.max_sequences;
}

bool Router::is_free(const Route& route) const {
  const auto full = full_until_.find({route.prefill, route.decode});
  return is_free(route.decode) && (full == full_until_.end() || full->second <= clock_.now());
}

std::optional<Router::Route> Router::free_route(const std::set<StreamId>& without) const {
  std::optional<Route> best;
  int least = 0;
  const auto offer = [&](StreamId prefill, StreamId decode, int load) {
    if (without.contains(prefill) || is_silent(prefill) || (best && load >= least)) return;
    best = Route{prefill, decode};
    least = load;
  };
  for (const auto& [streams, pair] : pairs_.all()) {
    const auto [prefill, decode] = streams;
    if (pair.ready && is_free(Route{prefill, decode}))
      offer(prefill, decode, groups_.at(prefill).n_requests + groups_.at(decode).n_requests);
  }
  if (best) return best;
  for (const auto& [stream, group] : groups_) {
    if (group.info.role == Role::mixed && is_free(stream)) offer(stream, stream, group.n_requests);
  }
  return best;
}

// Decode groups can prefill, too; it costs those that decode there their pace.
std::optional<Router::Route> Router::colocated_route(const Served& served) const {
  if (!rules_.colocated_retry) return std::nullopt;
  if (is_free(served.failed->decode)) return Route{served.failed->decode, served.failed->decode};
  for (const auto& [stream, group] : groups_) {
    if (group.info.role != Role::prefill && is_free(stream)) return Route{stream, stream};
  }
  return std::nullopt;
}

std::optional<std::pair<Router::Route, std::optional<Rung>>> Router::next_route(const Served& served) const {
  const auto with = [](const std::optional<Route>& route, std::optional<Rung> rung) {
    return route ? std::optional(std::pair(*route, rung)) : std::nullopt;
  };
  if (!served.failed) return with(free_route({}), std::nullopt);
  const Route& last = *served.failed;
  const Pairs::Pair* pair = pairs_.find(last.prefill, last.decode);
  const bool silent = is_silent(last.prefill) || is_silent(last.decode);
  if (!served.same_pair_tried && pair && pair->ready && !silent) {
    return is_free(last) ? with(last, Rung::same_pair) : std::nullopt;
  }
  if (const auto other = free_route(served.failed_prefills))
    return with(other, other->prefill == last.prefill ? Rung::other_decode : Rung::other_prefill);
  if (const auto alone = colocated_route(served)) return with(alone, Rung::colocated);
  if (const auto any = free_route({})) return with(any, Rung::same_pair);  // what failed is back, and there is no other
  const bool all_silent = std::all_of(groups_.begin(), groups_.end(), [](const auto& entry) {
    return entry.second.silent || entry.second.info.role == Role::prefill;
  });
  return all_silent && pair && pair->ready ? with(last, Rung::same_pair) : std::nullopt;
}

// What is left to do of a request: what was told is part of the prompt now.
Request Router::rest_of(const Served& served) const {
  Request rest = served.request;
  rest.prompt.insert(rest.prompt.end(), served.told.begin(), served.told.end());
  rest.n_told = static_cast<int>(served.told.size());
  rest.max_tokens -= rest.n_told;
  return rest;
}

void Router::assign(Served& served, const Route& route) {
  const Instant now = clock_.now();
  const Group &prefill = groups_.at(route.prefill), &decode = groups_.at(route.decode);
  served.route = route;
  served.assigned = served.progress = now;
  served.n_of_attempt = 0;
  ++served.attempt.attempt;
  for (const StreamId stream : std::set{route.prefill, route.decode}) ++groups_.at(stream).n_requests;
  served.account.prefill = prefill.info.key.name;
  served.account.decode = decode.info.key.name;
  served.account.attempts += 1;
  if (!served.failed) served.account.queue_ms = ms_between(served.submitted, now);
  const double deadline_ms = ms_between(now, served.deadline);
  if (route.colocated()) {
    served.stage = Served::Stage::prefilling;
    served.account.transport.clear();
    to_leaders_.emplace_back(
        route.decode, wire::Run{.attempt = served.attempt, .request = rest_of(served), .deadline_ms = deadline_ms});
    return;
  }
  served.stage = Served::Stage::reserving;
  rules_.milestones.reach("reserve");
  const Pairs::Pair* pair = pairs_.find(route.prefill, route.decode);
  served.account.transport = pair->report.transport;
  to_leaders_.emplace_back(
      route.decode,
      wire::Reserve{
          .attempt = served.attempt, .pairing = pair->pairing, .request = rest_of(served), .deadline_ms = deadline_ms});
}

// ---- what fails, and is tried again

void Router::retry(Served& served, const std::string& why) {
  const RequestId id = served.request.id;
  if (served.account.attempts >= kMostAttempts)
    return fail(id, Fault::service, str(why, "; tried ", kMostAttempts, " times"));
  abort_at_groups(served);
  served.failed = served.route;
  // Where the decode group is gone, its prefill group is not to blame.
  if (groups_.contains(served.route->decode)) served.failed_prefills.insert(served.route->prefill);
  served.why_failed = why;
  release(served);
  served.stage = Served::Stage::waiting;
  queue_.push_front(id);
}

void Router::retry_all_on(const std::string& why, const std::function<bool(const Served&)>& affected) {
  std::vector<RequestId> ids;
  for (const auto& [id, served] : served_) {
    if (served.route && affected(served)) ids.push_back(id);
  }
  for (const RequestId id : ids) retry(served_.at(id), why);
}

void Router::on(StreamId stream, const wire::Failed& m) {
  Served* served = current(stream, m.attempt);
  if (!served) return;
  if (m.cause == wire::Cause::request) return fail(m.attempt.request, Fault::request, m.why);
  if (m.cause == wire::Cause::deadline) return fail(m.attempt.request, Fault::deadline, m.why);
  // A group that is not in the pair any more will not be in it for the next request either.
  if (m.cause == wire::Cause::pair && !served->route->colocated())
    pairs_.broke(served->route->prefill, served->route->decode, m.why);
  retry(*served, m.why);
}

void Router::closed(StreamId stream, const std::string& why) {
  std::erase_if(newcomers_, [stream](const Newcomer& n) { return n.stream == stream; });
  const auto group = groups_.find(stream);
  if (group == groups_.end()) return;
  const std::string name = group->second.info.key.name;
  groups_.erase(group);
  pairs_.leave(stream, why);
  std::erase_if(full_until_, [stream](const auto& f) { return f.first.first == stream || f.first.second == stream; });
  std::erase_if(aborting_, [stream](const auto& entry) { return entry.first.stream == stream; });
  retry_all_on(str("group ", name, " is gone: ", why), [stream](const Served& s) {
    // A prefill group that has handed over is not missed.
    return s.route->decode == stream || (s.route->prefill == stream && s.stage != Served::Stage::decoding);
  });
}

void Router::on(StreamId stream, const wire::Unpaired& m) {
  const auto broken = pairs_.unpaired(stream, m);
  if (!broken) return;
  retry_all_on(m.why, [&](const Served& s) {
    return s.route->prefill == broken->first && s.route->decode == broken->second && s.stage != Served::Stage::decoding;
  });
}

// When something last came of the attempt. A long queue is no reason to begin anew: groups that say something, and they
// do so all the time, will come to it.
Instant Router::sign_of_life(const Served& served) const {
  Instant heard = Instant::max();
  for (const StreamId stream : {served.route->prefill, served.route->decode}) {
    const auto group = groups_.find(stream);
    if (group != groups_.end()) heard = std::min(heard, group->second.heard);
  }
  return heard == Instant::max() ? served.progress : std::max(served.progress, heard);
}

// A group that stands still keeps its stream open. Nothing more goes there until it says something again.
void Router::suspect(const Served& served) {
  for (const StreamId stream : {served.route->prefill, served.route->decode}) {
    const auto group = groups_.find(stream);
    if (group != groups_.end() && group->second.heard <= served.progress) group->second.silent = true;
  }
}

bool Router::is_silent(StreamId stream) const {
  const auto group = groups_.find(stream);
  return group != groups_.end() && group->second.silent;
}

// ---- what groups say

void Router::message(StreamId stream, const wire::ToRouter& message) {
  if (!groups_.contains(stream) && !std::holds_alternative<wire::Hello>(message)) {  // it did not join
    ++counters_.refused;
    return;
  }
  if (const auto group = groups_.find(stream); group != groups_.end()) {
    group->second.heard = clock_.now();
    group->second.silent = false;
  }
  std::visit([&](const auto& m) { on(stream, m); }, message);
}

std::optional<std::string> Router::refusal_of(const wire::GroupInfo& info) const {
  if (info.model_hash != rules_.model_hash) {
    return str("model_hash ", info.model_hash, "; the router serves a model with ", rules_.model_hash,
               ". Give all groups the same model file");
  }
  if (const auto why = nonsense_in(info)) return why;
  for (const auto& [stream, other] : groups_) {
    if (const auto why = misfit(info, other.info)) return why;
  }
  return std::nullopt;
}

std::optional<StreamId> Router::stream_of(const std::string& name) const {
  for (const auto& [stream, group] : groups_) {
    if (group.info.key.name == name) return stream;
  }
  return std::nullopt;
}

void Router::on(StreamId stream, const wire::Hello& m) {
  if (!groups_.contains(stream)) admit(stream, m, clock_.now() + kNamePatience);
}

void Router::admit(StreamId stream, const wire::Hello& m, Instant patience) {
  const wire::GroupKey& key = m.group.key;
  auto why = m.version == wire::kVersion ? refusal_of(m.group)
                                         : str("protocol version ", m.version, "; the router speaks ", wire::kVersion);
  if (const auto taken = stream_of(key.name); taken && !why) {
    if (groups_.at(*taken).info.key == key) {  // the same process dialled again; we are the last to notice
      closed(*taken, "it dialled again");
    } else if (clock_.now() < patience) {  // a restarted group comes back before the end of the old one is noticed
      return newcomers_.push_back({.stream = stream, .hello = m, .patience = patience});
    } else {
      why = str("a group named ", key.name, " is here already");
    }
  }
  if (!why) return welcome(stream, m.group);
  ++counters_.refused;
  refusals_.push_back(str("group ", quoted(key.name), " refused: ", *why));
  to_leaders_.emplace_back(stream, wire::Refuse{.why = *why});
}

void Router::welcome(StreamId stream, const wire::GroupInfo& info) {
  to_leaders_.emplace_back(stream, wire::Welcome{});
  rules_.milestones.reach("hello");
  groups_[stream] = {.info = info, .stats = {}};
  const auto join = [this](StreamId prefill, StreamId decode) {
    const wire::GroupInfo &from = groups_.at(prefill).info, &to = groups_.at(decode).info;
    if (from.role == Role::decode || to.role == Role::prefill || from.role == to.role) return;
    pairs_.join(prefill, decode, from, to);
  };
  for (const auto& [other, group] : groups_) {
    if (other == stream) continue;
    join(stream, other);
    join(other, stream);
  }
}

void Router::on(StreamId stream, const wire::Opened& m) { pairs_.opened(stream, m); }
void Router::on(StreamId stream, const wire::Paired& m) {
  pairs_.paired(stream, m);
  rules_.milestones.reach("paired");
}
void Router::on(StreamId stream, const wire::Stats& m) { groups_.at(stream).stats = m; }

Router::Served* Router::current(StreamId stream, const wire::Attempt& attempt) {
  const auto found = served_.find(attempt.request);
  if (found == served_.end() || found->second.attempt != attempt || !found->second.route) {
    ++counters_.stale;
    return nullptr;
  }
  const Route& route = *found->second.route;
  if (route.decode == stream || route.prefill == stream) return &found->second;
  ++counters_.refused;
  return nullptr;
}

void Router::on(StreamId stream, const wire::Reserved& m) {
  const wire::Attempt& attempt = m.ticket.name.attempt;
  Served* served = current(stream, attempt);
  if (!served) return abort(stream, attempt);  // it is over: the pages are not needed
  if (served->route->decode != stream || served->stage != Served::Stage::reserving) return;
  // A decode group gives pages of its own: under another pairing, prefill would write into those of another group.
  const Pairs::Pair* pair = pairs_.find(served->route->prefill, stream);
  if (!pair || pair->pairing != m.ticket.pairing) {
    ++counters_.refused;
    return retry(*served, str("group ", served->account.decode, " reserved in another pair"));
  }
  const Instant now = clock_.now();
  served->stage = Served::Stage::prefilling;
  served->progress = now;
  rules_.milestones.reach("prefill");
  served->account.reserve_ms += ms_between(served->assigned, now);
  to_leaders_.emplace_back(
      served->route->prefill,
      wire::Prefill{.request = rest_of(*served), .ticket = m.ticket, .deadline_ms = ms_between(now, served->deadline)});
}

void Router::on(StreamId stream, const wire::Full& m) {
  Served* served = current(stream, m.attempt);
  if (!served || served->route->decode != stream || served->stage != Served::Stage::reserving) return;
  ++counters_.full;
  // Of that pair only: a group in which one prefill group has too much in quarantine has room for others.
  const Route route = *served->route;
  release(*served);
  full_until_[{route.prefill, route.decode}] = clock_.now() + ms(m.retry_after_ms);
  served->stage = Served::Stage::waiting;
  served->account.attempts -= 1;  // nothing was tried, and no rung climbed
  if (served->failed) served->account.retries.pop_back();
  queue_.push_front(m.attempt.request);
}

void Router::on(StreamId stream, const wire::Tokens& m) {
  Served* served = current(stream, m.attempt);
  if (!served || served->route->decode != stream || m.first < served->n_of_attempt || m.tokens.empty()) return;
  if (m.first > served->n_of_attempt) return retry(*served, "tokens were lost on their way to the router");
  Account& account = served->account;
  const double since_ms = ms_between(served->submitted, clock_.now());
  if (served->n_of_attempt == 0) {
    served->stage = Served::Stage::decoding;
    rules_.milestones.reach("token");
    const uint64_t before = account.bill.kv_bytes;
    if (served->told.empty()) {
      account.bill = m.bill;
      account.ttft_ms = since_ms;
    }
    account.bill.kv_bytes = before + m.bill.kv_bytes;
  }
  account.total_ms = since_ms;
  served->progress = clock_.now();
  served->n_of_attempt += static_cast<int>(m.tokens.size());
  for (const Token& token : m.tokens) served->told.push_back(token.id);
  events_.push_back({.id = m.attempt.request, .tokens = m.tokens, .finish = m.finish, .error = {}, .account = account});
  if (m.finish == Finish::none) return;
  ++counters_.finished;
  end(m.attempt.request);
}

std::vector<std::pair<StreamId, wire::ToLeader>> Router::take_to_leaders() {
  auto all = std::exchange(to_leaders_, {});
  for (auto& message : pairs_.take_to_leaders()) all.push_back(std::move(message));
  return all;
}

}  // namespace ferry
