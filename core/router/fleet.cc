#include "core/router/fleet.h"

#include <algorithm>
#include <tuple>

namespace ferry {

using wire::Role;

namespace {
constexpr int kBlockTokens = 16;
constexpr size_t kMostBlocks = 1 << 16;
constexpr size_t kMostBreakers = 4096;
}  // namespace

std::string_view name_of(GroupState state) {
  switch (state) {
    case GroupState::ready:
      return "ready";
    case GroupState::draining:
      return "draining";
    case GroupState::drained:
      return "drained";
    case GroupState::silent:
      return "silent";
    case GroupState::failing:
      return "failing";
    case GroupState::probed:
      return "probed";
  }
  return {};
}

Fleet::Fleet(const PathRules& paths, uint64_t router_epoch, const Clock& clock)
    : clock_(clock), pairs_(paths, router_epoch, clock), prefixes_(kBlockTokens, kMostBlocks) {}

// ---- who is here

void Fleet::join(StreamId stream, const wire::GroupInfo& info) {
  groups_[stream] = {.info = info, .stats = {}};
  ++n_changes_;
  const auto pair = [this](StreamId prefill, StreamId decode) {
    const wire::GroupInfo &from = at(prefill).info, &to = at(decode).info;
    if (from.role == Role::decode || to.role == Role::prefill || from.role == to.role) return;
    pairs_.join(prefill, decode, from, to);
  };
  for (const auto& [other, group] : groups_) {
    if (other == stream) continue;
    pair(stream, other);
    pair(other, stream);
  }
}

std::optional<std::string> Fleet::leave(StreamId stream, const std::string& why) {
  const auto group = groups_.find(stream);
  if (group == groups_.end()) return std::nullopt;
  const std::string name = group->second.info.key.name;
  if (group->second.n_requests > 0) failed(stream);
  groups_.erase(group);
  ++n_changes_;
  pairs_.leave(stream, why);
  prefixes_.forget(stream);
  std::erase_if(full_until_, [stream](const auto& f) { return f.first.first == stream || f.first.second == stream; });
  return name;
}

std::optional<StreamId> Fleet::stream_of(std::string_view name) const {
  for (const auto& [stream, group] : groups_) {
    if (group.info.key.name == name) return stream;
  }
  return std::nullopt;
}

GroupState Fleet::state_of(StreamId stream) const {
  const Group& group = at(stream);
  if (group.draining) return group.n_requests > 0 ? GroupState::draining : GroupState::drained;
  if (group.silent) return GroupState::silent;
  const auto breaker = breakers_.find(group.info.key.name);
  if (breaker == breakers_.end()) return GroupState::ready;
  switch (breaker->second.state(clock_.now())) {
    case Breaker::State::closed:
      return GroupState::ready;
    case Breaker::State::open:
      return GroupState::failing;
    case Breaker::State::half_open:
      return GroupState::probed;
  }
  return GroupState::ready;
}

// ---- how they fare

void Fleet::heard(StreamId stream) {
  const auto group = groups_.find(stream);
  if (group == groups_.end()) return;
  group->second.heard = clock_.now();
  group->second.silent = false;
}

bool Fleet::drain(std::string_view name, bool on) {
  const auto stream = stream_of(name);
  if (stream) groups_.at(*stream).draining = on;
  return stream.has_value();
}

// A group that stands still keeps its stream open. Nothing more goes there until it says something again.
void Fleet::suspect(const Route& route, Instant since) {
  for (const StreamId stream : {route.prefill, route.decode}) {
    const auto group = groups_.find(stream);
    if (group != groups_.end() && group->second.heard <= since) group->second.silent = true;
  }
}

void Fleet::failed(StreamId stream) {
  if (!contains(stream)) return;
  if (breakers_.size() > kMostBreakers) breakers_.clear();  // names that never come again
  breakers_[at(stream).info.key.name].failed(clock_.now());
}

void Fleet::succeeded(const Route& route) {
  for (const StreamId stream : {route.prefill, route.decode}) {
    if (contains(stream)) breakers_.erase(at(stream).info.key.name);
  }
}

void Fleet::full(const Route& route, Instant until) { full_until_[{route.prefill, route.decode}] = until; }

Instant Fleet::sign_of_life(const Route& route, Instant since) const {
  Instant heard = Instant::max();
  for (const StreamId stream : {route.prefill, route.decode}) {
    if (contains(stream)) heard = std::min(heard, at(stream).heard);
  }
  return heard == Instant::max() ? since : std::max(since, heard);
}

bool Fleet::all_decode_silent() const {
  return std::all_of(groups_.begin(), groups_.end(),
                     [](const auto& entry) { return entry.second.silent || entry.second.info.role == Role::prefill; });
}

std::vector<std::string> Fleet::all_drained(Role role) const {
  std::vector<std::string> names;
  for (const auto& [stream, group] : groups_) {
    if (group.info.role != role && group.info.role != Role::mixed) continue;
    if (!group.draining) return {};
    names.push_back(group.info.key.name);
  }
  std::ranges::sort(names);
  return names;
}

// ---- ways

const Pairs::Pair* Fleet::ready_pair(const Route& route) const {
  const Pairs::Pair* pair = pairs_.find(route.prefill, route.decode);
  return pair && pair->ready ? pair : nullptr;
}

bool Fleet::may_use(StreamId stream) const {
  const auto found = groups_.find(stream);
  if (found == groups_.end() || found->second.silent || found->second.draining) return false;
  const auto breaker = breakers_.find(found->second.info.key.name);
  return breaker == breakers_.end() || breaker->second.lets(clock_.now(), found->second.n_requests);
}

bool Fleet::has_room(StreamId decode) const {
  return may_use(decode) && at(decode).n_requests < at(decode).info.max_sequences;
}

bool Fleet::is_free(const Route& route) const {
  const auto full = full_until_.find({route.prefill, route.decode});
  return has_room(route.decode) && (full == full_until_.end() || full->second <= clock_.now());
}

// 0: idle; 1: there is no room left, of sequences or of pages.
double Fleet::load_of(StreamId decode) const {
  const Group& group = at(decode);
  const auto& pages = group.stats.pages;
  const double used = pages.total() == 0 ? 0 : 1 - static_cast<double>(pages.free) / pages.total();
  return std::max(static_cast<double>(group.n_requests) / group.info.max_sequences, used);
}

std::optional<Fleet::Route> Fleet::best_route(std::span<const int> prompt, const std::set<StreamId>& without) const {
  std::optional<Prefixes::Blocks> blocks;  // made when somebody is free: a prompt that waits is looked at all the time
  std::optional<Route> best;
  std::tuple<int64_t, double, int> least;
  for (const auto& [streams, pair] : pairs_.all()) {
    const auto [prefill, decode] = streams;
    if (!pair.ready || without.contains(prefill) || !may_use(prefill) || !is_free({prefill, decode})) continue;
    if (!blocks) blocks = prefixes_.blocks_of(prompt);
    const std::tuple<int64_t, double, int> cost = {
        at(prefill).n_to_prefill - prefixes_.n_cached_tokens(prefill, *blocks), load_of(decode),
        at(prefill).n_requests};
    if (best && cost >= least) continue;
    best = Route{prefill, decode};
    least = cost;
  }
  return best ? best : best_mixed(without);
}

std::optional<Fleet::Route> Fleet::best_mixed(const std::set<StreamId>& without) const {
  std::optional<Route> best;
  for (const auto& [stream, group] : groups_) {
    if (group.info.role != Role::mixed || without.contains(stream) || !has_room(stream)) continue;
    if (!best || group.n_requests < at(best->decode).n_requests) best = Route{stream, stream};
  }
  return best;
}

std::optional<Fleet::Route> Fleet::best_colocated(std::optional<StreamId> rather) const {
  if (rather && has_room(*rather)) return Route{*rather, *rather};
  std::optional<Route> best;
  for (const auto& [stream, group] : groups_) {
    if (group.info.role == Role::prefill || !has_room(stream)) continue;
    if (!best || load_of(stream) < load_of(best->decode)) best = Route{stream, stream};
  }
  return best;
}

// ---- attempts

int Fleet::begin(const Route& route, std::span<const int> prompt) {
  for (const StreamId stream : std::set{route.prefill, route.decode}) ++groups_.at(stream).n_requests;
  const Prefixes::Blocks blocks = prefixes_.blocks_of(prompt);
  const int n = static_cast<int>(prompt.size()) - prefixes_.n_cached_tokens(route.prefill, blocks);
  prefixes_.sent(route.prefill, blocks);
  groups_.at(route.prefill).n_to_prefill += n;
  return n;
}

void Fleet::prefilled(const Route& route, int n_tokens) {
  if (contains(route.prefill)) groups_.at(route.prefill).n_to_prefill -= n_tokens;
}

void Fleet::end(const Route& route) {
  for (const StreamId stream : std::set{route.prefill, route.decode}) {
    if (contains(stream)) --groups_.at(stream).n_requests;
  }
  std::erase_if(full_until_, [&](const auto& full) { return full.first.second == route.decode; });
}

}  // namespace ferry
