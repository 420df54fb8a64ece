// What groups say to a router, and what comes of it.

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "core/handoff/fit.h"
#include "core/router/router.h"

namespace ferry {

namespace {
constexpr Duration kNamePatience = std::chrono::seconds(4);  // more than it takes to notice a dead group
}  // namespace

void Router::message(StreamId stream, const wire::ToRouter& message) {
  if (!fleet_.contains(stream) && !std::holds_alternative<wire::Hello>(message)) {  // it did not join
    ++counters_.refused;
    return;
  }
  fleet_.heard(stream);
  std::visit([&](const auto& m) { on(stream, m); }, message);
}

std::optional<std::string> Router::refusal_of(const wire::GroupInfo& info) const {
  if (info.model_hash != rules_.model_hash) {
    return str("model_hash ", info.model_hash, "; the router serves a model with ", rules_.model_hash,
               ". Give all groups the same model file");
  }
  if (auto why = nonsense_in(info)) return why;
  for (const auto& [stream, other] : fleet_.groups()) {
    if (auto why = misfit(info, other.info)) return why;
  }
  return std::nullopt;
}

void Router::on(StreamId stream, const wire::Hello& m) {
  if (!fleet_.contains(stream)) admit(stream, m, clock_.now() + kNamePatience);
}

void Router::admit(StreamId stream, const wire::Hello& m, Instant patience) {
  const wire::GroupKey& key = m.group.key;
  auto why = m.version == wire::kVersion ? refusal_of(m.group)
                                         : str("protocol version ", m.version, "; the router speaks ", wire::kVersion);
  if (const auto taken = fleet_.stream_of(key.name); taken && !why) {
    if (fleet_.at(*taken).info.key == key) {  // the same process dialled again; we are the last to notice
      closed(*taken, "it dialled again");
    } else if (clock_.now() < patience) {  // a restarted group comes back before the end of the old one is noticed
      return newcomers_.push_back({.stream = stream, .hello = m, .patience = patience});
    } else {
      why = str("a group named ", key.name, " is here already");
    }
  }
  if (!why) {
    to_leaders_.emplace_back(stream, wire::Welcome{});
    rules_.milestones.reach("hello");
    return fleet_.join(stream, m.group);
  }
  ++counters_.refused;
  refusals_.push_back(str("group ", quoted(key.name), " refused: ", *why));
  to_leaders_.emplace_back(stream, wire::Refuse{.why = *why});
}

// ---- failures

// An attempt that failed between two groups may be the fault of either.
void Router::blame(const Served& served) {
  fleet_.failed(served.route->decode);
  if (!served.route->colocated()) fleet_.failed(served.route->prefill);
}

// Others make numbers of what it made none of.
void Router::blame_for_no_numbers(const Served& served) {
  const StreamId one = *served.made_no_numbers;
  if (one != served.route->prefill && one != served.route->decode) fleet_.failed(one);
}

void Router::on(StreamId stream, const wire::Failed& m) {
  Served* served = current(stream, m.attempt);
  if (!served) return;
  if (m.cause == wire::Cause::request) return fail(m.attempt.request, Fault::request, m.why);
  if (m.cause == wire::Cause::deadline) return fail(m.attempt.request, Fault::deadline, m.why);
  // A group that is not in the pair any more will not be in it for the next request either.
  if (m.cause == wire::Cause::pair && !served->route->colocated())
    fleet_.pairs().broke(served->route->prefill, served->route->decode, m.why);
  if (m.cause == wire::Cause::transfer) blame(*served);
  if (m.cause == wire::Cause::numbers) {
    // The group may have damaged memory; or the model is damaged, or the request at fault: then no other makes more of
    // it.
    if (served->made_no_numbers) return fail(m.attempt.request, Fault::service, m.why);
    served->made_no_numbers = stream;
    served->same_pair_tried = true;
  }
  retry(*served, m.why);
}

void Router::closed(StreamId stream, const std::string& why) {
  std::erase_if(newcomers_, [stream](const Newcomer& n) { return n.stream == stream; });
  const auto name = fleet_.leave(stream, why);
  if (!name) return;
  std::erase_if(aborting_, [stream](const auto& entry) { return entry.first.stream == stream; });
  retry_all_on(str("group ", *name, " is gone: ", why), [stream](const Served& s) {
    // A prefill group that has handed over is not missed.
    return s.route->decode == stream || (s.route->prefill == stream && s.stage != Served::Stage::decoding);
  });
}

void Router::on(StreamId stream, const wire::Unpaired& m) {
  const auto broken = fleet_.pairs().unpaired(stream, m);
  if (!broken) return;
  retry_all_on(m.why, [&](const Served& s) {
    return s.route->prefill == broken->first && s.route->decode == broken->second && s.stage != Served::Stage::decoding;
  });
}

// ---- progress

void Router::on(StreamId stream, const wire::Opened& m) { fleet_.pairs().opened(stream, m); }
void Router::on(StreamId stream, const wire::Paired& m) {
  if (auto refusal = fleet_.pairs().paired(stream, m)) refusals_.push_back(std::move(*refusal));
  rules_.milestones.reach("paired");
}
void Router::on(StreamId stream, const wire::Stats& m) { fleet_.told(stream, m); }

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
  const Pairs::Pair* pair = fleet_.pairs().find(served->route->prefill, stream);
  if (!pair || pair->pairing != m.ticket.pairing) {
    ++counters_.refused;
    fleet_.failed(stream);
    return retry(*served, str("group ", served->account.decode, " reserved in another pair"));
  }
  const Instant now = clock_.now();
  served->stage = Served::Stage::prefilling;
  served->progress = now;
  rules_.milestones.reach("prefill");
  if (served->told.empty()) served->account.reserve_ms = ms_between(served->assigned, now);
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
  fleet_.full(route, clock_.now() + ms(m.retry_after_ms));
  served->stage = Served::Stage::waiting;
  served->account.attempts -= 1;  // nothing was tried, and no rung climbed
  if (!served->failed) return queue_.put_back(m.attempt.request, served->tenant, cost_of(served->request));
  served->account.retries.pop_back();
  again_.push_front(m.attempt.request);
}

void Router::on(StreamId stream, const wire::Tokens& m) {
  Served* served = current(stream, m.attempt);
  if (!served || served->route->decode != stream || m.first < served->n_of_attempt || m.tokens.empty()) return;
  if (m.first > served->n_of_attempt) return retry(*served, "tokens were lost on their way to the router");
  if (m.prompt_logprobs.size() != (served->told.empty() ? served->request.n_prompt_logprobs() : 0)) {
    ++counters_.refused;
    return retry(*served, str("group ", served->account.decode, " tells logprobs of another prompt"));
  }
  Account& account = served->account;
  const double since_ms = ms_between(served->submitted, clock_.now());
  if (served->n_of_attempt == 0) {
    served->stage = Served::Stage::decoding;
    fleet_.prefilled(*served->route, std::exchange(served->n_to_prefill, 0));
    fleet_.succeeded(*served->route);
    if (served->made_no_numbers) blame_for_no_numbers(*served);
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
  events_.push_back({.id = m.attempt.request,
                     .tokens = m.tokens,
                     .prompt_logprobs = m.prompt_logprobs,
                     .finish = m.finish,
                     .error = {},
                     .account = account});
  if (m.finish == Finish::none) return;
  ++counters_.finished;
  end(m.attempt.request);
}

std::vector<std::pair<StreamId, wire::ToLeader>> Router::take_to_leaders() {
  auto all = std::exchange(to_leaders_, {});
  for (auto& message : fleet_.pairs().take_to_leaders()) all.push_back(std::move(message));
  return all;
}

}  // namespace ferry
