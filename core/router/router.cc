#include "core/router/router.h"

#include <algorithm>

#include "core/base/error.h"

namespace ferry {

using wire::Role;

// ---- requests

void Router::submit(Request request, Duration budget) {
  const Instant now = clock_.now();
  const RequestId id = request.id;
  served_[id] = {.request = std::move(request),
                 .attempt = {.request = id, .attempt = 0},
                 .submitted = now,
                 .assigned = {},
                 .deadline = now + budget,
                 .prefill = {},
                 .decode = {},
                 .account = {}};
  queue_.push_back(id);
}

void Router::cancel(RequestId id) {
  const auto found = served_.find(id);
  if (found == served_.end()) return;
  abort_at_groups(found->second, "cancelled");
  release(found->second);
  served_.erase(found);
  std::erase(queue_, id);
}

void Router::fail(RequestId id, const std::string& why) {
  Served& served = served_.at(id);
  served.account.total_ms = ms_between(served.submitted, clock_.now());
  events_.push_back({.id = id, .tokens = {}, .error = why, .account = served.account});
  cancel(id);
}

void Router::fail_waiting(const std::string& why) {
  for (const RequestId id : std::deque<RequestId>(queue_)) fail(id, why);
}

void Router::abort_at_groups(const Served& served, const std::string& why) {
  if (!served.decode) return;
  const auto decode = groups_.find(*served.decode);
  const wire::GroupKey key = decode == groups_.end() ? wire::GroupKey{} : decode->second.info.key;
  const wire::Abort abort = {.attempt = served.attempt, .decode = key, .why = why};
  to_leaders_.emplace_back(*served.decode, abort);
  if (served.prefill != served.decode) to_leaders_.emplace_back(*served.prefill, abort);
}

void Router::release(Served& served) {
  for (const auto& stream : {served.prefill, served.decode}) {
    if (!stream || !groups_.contains(*stream)) continue;
    --groups_.at(*stream).n_requests;
    groups_.at(*stream).full_until = {};
  }
  served.prefill.reset();
  served.decode.reset();
}

// ---- the queue

void Router::tick() {
  const Instant now = clock_.now();
  std::vector<RequestId> expired;
  for (const auto& [id, served] : served_) {
    if (served.deadline <= now) expired.push_back(id);
  }
  for (const RequestId id : expired) fail(id, str("deadline passed while ", whereabouts(served_.at(id))));
  serve_queue();
}

void Router::serve_queue() {
  while (!queue_.empty()) {
    const auto route = free_route();
    if (!route) return;
    const RequestId id = queue_.front();
    queue_.pop_front();
    assign(served_.at(id), *route);
  }
}

std::optional<Router::Route> Router::free_route() const {
  const Instant now = clock_.now();
  const auto is_free = [now](const Group& g) { return g.n_requests < g.info.max_sequences && g.full_until <= now; };
  std::optional<Route> best;
  int least = 0;
  const auto offer = [&](StreamId prefill, StreamId decode, int load) {
    if (best && load >= least) return;
    best = Route{prefill, decode};
    least = load;
  };
  for (const auto& [streams, pair] : pairs_) {
    const Group &prefill = groups_.at(streams.first), &decode = groups_.at(streams.second);
    if (pair.ready && is_free(decode)) offer(streams.first, streams.second, prefill.n_requests + decode.n_requests);
  }
  if (best) return best;
  for (const auto& [stream, group] : groups_) {
    if (group.info.role == Role::mixed && is_free(group)) offer(stream, stream, group.n_requests);
  }
  return best;
}

void Router::assign(Served& served, const Route& route) {
  const Instant now = clock_.now();
  const Group &prefill = groups_.at(route.prefill), &decode = groups_.at(route.decode);
  served.prefill = route.prefill;
  served.decode = route.decode;
  served.assigned = now;
  ++served.attempt.attempt;
  ++groups_.at(route.prefill).n_requests;
  ++groups_.at(route.decode).n_requests;
  served.account.prefill = prefill.info.key.name;
  served.account.decode = decode.info.key.name;
  served.account.attempts += 1;
  served.account.queue_ms = ms_between(served.submitted, now);
  const double deadline_ms = ms_between(now, served.deadline);
  if (route.prefill == route.decode) {
    served.stage = Served::Stage::decoding;
    to_leaders_.emplace_back(
        route.decode, wire::Run{.attempt = served.attempt, .request = served.request, .deadline_ms = deadline_ms});
    return;
  }
  served.stage = Served::Stage::reserving;
  served.account.transport = pairs_.at({route.prefill, route.decode}).transport;
  to_leaders_.emplace_back(route.decode, wire::Reserve{.attempt = served.attempt,
                                                       .prefill = prefill.info.key,
                                                       .request = served.request,
                                                       .deadline_ms = deadline_ms});
}

// ---- what groups say

void Router::message(StreamId stream, const wire::ToRouter& message) {
  if (!groups_.contains(stream) && !std::holds_alternative<wire::Hello>(message)) return;  // it did not join
  std::visit([&](const auto& m) { on(stream, m); }, message);
}

std::optional<std::string> Router::refusal_of(const wire::Hello& m) const {
  const wire::GroupInfo& info = m.group;
  if (m.version != wire::kVersion) return str("protocol version ", m.version, "; the router speaks ", wire::kVersion);
  if (info.model_hash != rules_.model_hash) {
    return str("model_hash ", info.model_hash, "; the router serves a model with ", rules_.model_hash,
               ". Give all groups the same model file");
  }
  if (info.layouts.empty() || info.layouts.size() != info.link_addresses.size())
    return "a group says where each rank is";
  for (const auto& [stream, other] : groups_) {
    const KvLayout &a = info.layouts[0], &b = other.info.layouts[0];
    const std::string& name = other.info.key.name;
    if (info.key.name == name) return str("a group named ", name, " is here already");
    if (a.page_tokens() != b.page_tokens())
      return str("kv.page_tokens ", a.page_tokens(), "; ", name, " has ", b.page_tokens());
    if (a.dtype() != b.dtype()) return str("kv.dtype ", name_of(a.dtype()), "; ", name, " has ", name_of(b.dtype()));
  }
  return std::nullopt;
}

void Router::on(StreamId stream, const wire::Hello& m) {
  if (groups_.contains(stream)) return;
  if (const auto why = refusal_of(m)) {
    refusals_.push_back(str("group ", m.group.key.name, " refused: ", *why));
    to_leaders_.emplace_back(stream, wire::Refuse{.why = *why});
    return;
  }
  to_leaders_.emplace_back(stream, wire::Welcome{});
  groups_[stream] = {.info = m.group, .full_until = {}};
  for (const auto& [other, group] : groups_) {
    if (other == stream) continue;
    introduce(stream, other);
    introduce(other, stream);
  }
}

void Router::introduce(StreamId prefill, StreamId decode) {
  const wire::GroupInfo &from = groups_.at(prefill).info, &to = groups_.at(decode).info;
  if (from.role == Role::decode || to.role == Role::prefill || from.role == to.role) return;
  pairs_[{prefill, decode}] = {};
  // The receiving side first: it must know its peer when that greets.
  to_leaders_.emplace_back(decode, wire::Introduce{.peer = from, .you_send = false});
  to_leaders_.emplace_back(prefill, wire::Introduce{.peer = to, .you_send = true});
}

void Router::on(StreamId stream, const wire::Paired& m) {
  for (auto& [streams, pair] : pairs_) {
    if (streams.second != stream || groups_.at(streams.first).info.key != m.prefill) continue;
    pair = {.ready = !rules_.require_rdma || m.transport == "rdma", .transport = m.transport};
    if (!pair.ready) {
      refusals_.push_back(str("path ", m.prefill.name, " → ", groups_.at(stream).info.key.name,
                              " refused: it runs over ", m.transport,
                              " and link.require is rdma. Check `ferry doctor`, or set link.require: any"));
    }
  }
}

Router::Served* Router::current(const wire::Attempt& attempt) {
  const auto found = served_.find(attempt.request);
  return found != served_.end() && found->second.attempt == attempt ? &found->second : nullptr;
}

void Router::on(StreamId stream, const wire::Reserved& m) {
  Served* served = current(m.ticket.attempt);
  if (!served || served->decode != stream || served->stage != Served::Stage::reserving) return;
  const Instant now = clock_.now();
  served->stage = Served::Stage::prefilling;
  served->account.reserve_ms = ms_between(served->assigned, now);
  to_leaders_.emplace_back(
      *served->prefill,
      wire::Prefill{.request = served->request, .ticket = m.ticket, .deadline_ms = ms_between(now, served->deadline)});
}

void Router::on(StreamId stream, const wire::Full& m) {
  Served* served = current(m.attempt);
  if (!served || served->decode != stream || served->stage != Served::Stage::reserving) return;
  release(*served);
  groups_.at(stream).full_until = clock_.now() + ms(m.retry_after_ms);
  served->stage = Served::Stage::waiting;
  served->account.attempts -= 1;  // nothing was tried
  queue_.push_front(m.attempt.request);
}

void Router::on(StreamId stream, const wire::Tokens& m) {
  Served* served = current(m.attempt);
  if (!served || served->decode != stream || m.first != served->n_tokens) return;
  Account& account = served->account;
  const double since_ms = ms_between(served->submitted, clock_.now());
  if (served->n_tokens == 0) {
    served->stage = Served::Stage::decoding;
    account.bill = m.bill;
    account.ttft_ms = since_ms;
  }
  account.total_ms = since_ms;
  served->n_tokens += static_cast<int>(m.tokens.size());
  events_.push_back({.id = m.attempt.request, .tokens = m.tokens, .finish = m.finish, .error = {}, .account = account});
  if (m.finish == Finish::none) return;
  release(*served);
  served_.erase(m.attempt.request);
}

void Router::on(StreamId, const wire::Failed& m) {
  if (current(m.attempt)) fail(m.attempt.request, m.why);
}

void Router::closed(StreamId stream, const std::string& why) {
  const auto group = groups_.find(stream);
  if (group == groups_.end()) return;
  const wire::GroupKey key = group->second.info.key;
  groups_.erase(group);
  std::erase_if(pairs_, [stream](const auto& p) { return p.first.first == stream || p.first.second == stream; });
  std::vector<RequestId> lost;
  for (const auto& [id, served] : served_) {
    if (served.prefill == stream || served.decode == stream) lost.push_back(id);
  }
  for (const RequestId id : lost) fail(id, str("group ", key.name, " is gone: ", why));
  for (const auto& [other, g] : groups_) to_leaders_.emplace_back(other, wire::Forget{.peer = key, .why = why});
}

// ---- for people

std::string Router::whereabouts(const Served& served) const {
  switch (served.stage) {
    case Served::Stage::waiting:
      return groups_.empty() ? "waiting: no group has joined" : "waiting for a free group";
    case Served::Stage::reserving:
      return "reserving pages at " + served.account.decode;
    case Served::Stage::prefilling:
      return "prefilling at " + served.account.prefill;
    case Served::Stage::decoding:
      return "decoding at " + served.account.decode;
  }
  return {};
}

std::vector<Router::Path> Router::paths() const {
  std::vector<Path> paths;
  for (const auto& [streams, pair] : pairs_) {
    if (!pair.ready) continue;
    paths.push_back(
        {groups_.at(streams.first).info.key.name, groups_.at(streams.second).info.key.name, pair.transport});
  }
  for (const auto& [stream, group] : groups_) {
    if (group.info.role == Role::mixed) paths.push_back({group.info.key.name, group.info.key.name, ""});
  }
  return paths;
}

std::vector<StreamId> Router::streams() const {
  std::vector<StreamId> streams;
  for (const auto& [stream, group] : groups_) streams.push_back(stream);
  return streams;
}

}  // namespace ferry
