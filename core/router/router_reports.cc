// What a router tells people and metrics.

#include "core/base/error.h"
#include "core/router/router.h"

namespace ferry {

std::string_view name_of(Rung rung) {
  switch (rung) {
    case Rung::same_pair:
      return "same_pair";
    case Rung::other_prefill:
      return "other_prefill";
    case Rung::other_decode:
      return "other_decode";
    case Rung::colocated:
      return "colocated";
  }
  return {};
}

std::string Router::whereabouts(const Served& served) const {
  switch (served.stage) {
    case Served::Stage::waiting:
      if (served.failed) return str("waiting for another try; the last one: ", served.why_failed);
      return fleet_.groups().empty() ? "waiting: no group has joined" : "waiting for a free group";
    case Served::Stage::reserving:
      return "reserving pages at " + served.account.decode;
    case Served::Stage::prefilling:
      return "prefilling at " + served.account.prefill;
    case Served::Stage::decoding:
      return "decoding at " + served.account.decode;
  }
  return {};
}

std::vector<PairReport> Router::pairs() const {
  std::vector<PairReport> pairs;
  for (const auto& [streams, pair] : fleet_.pairs().all()) {
    pairs.push_back(pair.report);
    pairs.back().ready = pair.ready;
    pairs.back().which = pair.pairing;
  }
  for (const auto& [stream, group] : fleet_.groups()) {
    if (group.info.role != wire::Role::mixed) continue;
    const std::string& name = group.info.key.name;
    pairs.push_back(
        {.prefill = name, .decode = name, .transport = {}, .ready = true, .which = static_cast<uint64_t>(stream)});
  }
  return pairs;
}

std::vector<PairReport> Router::paths() const {
  std::vector<PairReport> paths = pairs();
  std::erase_if(paths, [](const PairReport& path) { return !path.ready; });
  return paths;
}

std::vector<StreamId> Router::streams() const {
  std::vector<StreamId> streams;
  for (const auto& [stream, group] : fleet_.groups()) streams.push_back(stream);
  return streams;
}

std::vector<Router::GroupReport> Router::groups() const {
  std::vector<GroupReport> reports;
  for (const auto& [stream, group] : fleet_.groups()) {
    reports.push_back({.name = group.info.key.name,
                       .role = group.info.role,
                       .state = fleet_.state_of(stream),
                       .tp = static_cast<int>(group.info.layouts.size()),
                       .ops = group.info.ops,
                       .n_requests = group.n_requests,
                       .stats = group.stats});
  }
  return reports;
}

std::optional<Router::RequestReport> Router::request(RequestId id) const {
  const auto found = served_.find(id);
  if (found == served_.end()) return std::nullopt;
  const Served& served = found->second;
  constexpr std::string_view kStages[] = {"waiting", "reserving", "prefilling", "decoding"};  // as in Stage
  return RequestReport{.stage = kStages[static_cast<size_t>(served.stage)],
                       .age_ms = ms_between(served.submitted, clock_.now()),
                       .n_prompt_tokens = static_cast<int>(served.request.prompt.size()),
                       .n_tokens = static_cast<int>(served.told.size()),
                       .account = served.account};
}

}  // namespace ferry
