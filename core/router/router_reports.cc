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

std::vector<PairReport> Router::paths() const {
  std::vector<PairReport> paths;
  for (const auto& [streams, pair] : fleet_.pairs().all()) {
    if (pair.ready) paths.push_back(pair.report);
  }
  for (const auto& [stream, group] : fleet_.groups()) {
    if (group.info.role == wire::Role::mixed) paths.push_back({group.info.key.name, group.info.key.name, {}});
  }
  return paths;
}

std::vector<std::string> Router::refusals() const {
  std::vector<std::string> all = refusals_;
  all.insert(all.end(), fleet_.pairs().refusals().begin(), fleet_.pairs().refusals().end());
  return all;
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
                       .n_requests = group.n_requests,
                       .stats = group.stats});
  }
  return reports;
}

}  // namespace ferry
