#include "launch/serve/cluster_snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

#include "launch/io/result_json.h"
#include "launch/io/unix_time.h"
#include "launch/runtime/metrics.h"
#include "launch/version.h"

namespace ferry {

namespace {

using nlohmann::ordered_json;

constexpr size_t kMostInFlight = 200;  // that are listed
constexpr size_t kLatest = 8;

double rounded(double value) { return std::round(value * 100) / 100; }

// ---- groups: those that joined, and those of cluster.yaml that have not

std::string_view state_of(const Router::GroupReport& group, const std::vector<PairReport>& paths) {
  if (group.state != GroupState::ready) return name_of(group.state);
  const bool has_path = std::any_of(paths.begin(), paths.end(), [&](const PairReport& path) {
    return path.prefill == group.name || path.decode == group.name;
  });
  return has_path ? "ready" : "connecting";
}

std::string host_of(const std::string& name, const ClusterConfig& config) {
  const GroupConfig* group = config.group(name);
  return group ? fmt::format("{}", fmt::join(group->hosts, ",")) : std::string();
}

ordered_json json_of(const wire::PageCounts& pages) {
  return {{"free", pages.free},
          {"leased", pages.leased},
          {"shared", pages.shared},
          {"quarantined", pages.quarantined},
          {"total", pages.total()}};
}

ordered_json json_of(const Router::GroupReport& group, std::string_view state, const Gateway& gateway) {
  return {{"name", group.name},
          {"role", role_name(group.role)},
          {"tp", group.tp},
          {"host", host_of(group.name, gateway.cluster().config())},
          {"computes_with", group.ops},
          {"state", state},
          {"pages", json_of(group.stats.pages)},
          {"running", group.stats.n_running},
          {"queued", group.stats.n_waiting},
          {"reserved", group.stats.n_reserved},
          {"shipping", group.stats.n_shipping},
          {"requests", group.n_requests},
          {"tokens_per_s", rounded(gateway.traffic().tokens_per_s(group.name, gateway.cluster().clock().now()))}};
}

ordered_json groups_json(const Gateway& gateway, const std::vector<PairReport>& paths) {
  ordered_json groups = ordered_json::array();
  const auto joined = gateway.cluster().router().groups();
  for (const GroupConfig& expected : gateway.cluster().config().groups) {
    if (std::any_of(joined.begin(), joined.end(), [&](const auto& group) { return group.name == expected.name; }))
      continue;
    Router::GroupReport group;
    group.name = expected.name;
    group.role = static_cast<wire::Role>(expected.role);
    group.tp = expected.tp;
    groups.push_back(json_of(group, "absent", gateway));
  }
  for (const auto& group : joined) groups.push_back(json_of(group, state_of(group, paths), gateway));
  std::sort(groups.begin(), groups.end(), [](const auto& a, const auto& b) { return a["name"] < b["name"]; });
  return groups;
}

ordered_json paths_json(const Gateway& gateway) {
  ordered_json paths = ordered_json::array();
  const Instant now = gateway.cluster().clock().now();
  std::vector<PairReport> reports = gateway.cluster().router().pairs();
  std::erase_if(reports, [](const PairReport& path) { return path.prefill == path.decode; });  // KV does not move
  std::sort(reports.begin(), reports.end(), [](const PairReport& a, const PairReport& b) {
    return std::tie(a.prefill, a.decode) < std::tie(b.prefill, b.decode);
  });
  for (const PairReport& path : reports) {
    paths.push_back({{"prefill", path.prefill},
                     {"decode", path.decode},
                     {"state", path.ready ? "ready" : "connecting"},
                     {"transport", path.transport},
                     {"gb_per_s", rounded(path.there.gb_per_s)},
                     {"latency_us", rounded(path.there.latency_us)},
                     {"bytes_per_s", rounded(gateway.traffic().bytes_per_s(path.prefill, path.decode, now))}});
  }
  return paths;
}

// ---- requests

// Those that are shown are chosen before anything is made of them: tens of thousands may wait.
std::vector<const RequestRecord*> oldest(const RequestLog& log, const RequestLog::Visible& is_visible) {
  std::vector<const RequestRecord*> records;
  for (const auto& [id, record] : log.running()) {
    if (is_visible(record)) records.push_back(&record);
  }
  const auto end = records.begin() + static_cast<std::ptrdiff_t>(std::min(records.size(), kMostInFlight));
  std::partial_sort(records.begin(), end, records.end(), [](const RequestRecord* a, const RequestRecord* b) {
    return std::tie(a->at_ms, a->id) < std::tie(b->at_ms, b->id);
  });
  records.erase(end, records.end());
  return records;
}

ordered_json in_flight_json(const Router& router, const std::vector<const RequestRecord*>& records) {
  ordered_json requests = ordered_json::array();
  for (const RequestRecord* record : records) {
    for (size_t choice = 0; choice < record->choices.size() && requests.size() < kMostInFlight; ++choice) {
      const auto report = router.request(record->choices[choice]);
      if (!report) continue;
      requests.push_back({{"id", record->id},
                          {"choice", choice},
                          {"stage", report->stage},
                          {"age_ms", rounded_ms(report->age_ms)},
                          {"prompt_tokens", report->n_prompt_tokens},
                          {"tokens", report->n_tokens},
                          {"prefill", report->account.prefill},
                          {"decode", report->account.decode},
                          {"attempts", report->account.attempts}});
    }
  }
  return requests;
}

ordered_json counters_json(const Router& router) {
  const Router::Counters& c = router.counters();
  ordered_json retries;
  for (const Rung rung : {Rung::same_pair, Rung::other_prefill, Rung::other_decode, Rung::colocated})
    retries[std::string(name_of(rung))] = c.retries[static_cast<size_t>(rung)];
  return {{"submitted", c.submitted}, {"finished", c.finished}, {"failed", c.failed},
          {"cancelled", c.cancelled}, {"full", c.full},         {"retries", retries}};
}

// ---- how long, and how much

ordered_json json_of(const Latest& latest) {
  const std::vector<double> seconds = latest.sorted();
  const Bins bins = bins_of(seconds);
  return {
      {"n", seconds.size()},
      {"p50_ms", rounded_ms(percentile(seconds, 0.5) * 1000)},
      {"p90_ms", rounded_ms(percentile(seconds, 0.9) * 1000)},
      {"p99_ms", rounded_ms(percentile(seconds, 0.99) * 1000)},
      {"bins",
       {{"low_ms", rounded_ms(bins.low * 1000)}, {"high_ms", rounded_ms(bins.high * 1000)}, {"counts", bins.counts}}}};
}

ordered_json rates_json(const Traffic::Rates& rates, Instant now) {
  return {{"requests_per_s", rounded(rates.begun.per_second(now))},
          {"finished_per_s", rounded(rates.finished.per_second(now))},
          {"failed_per_s", rounded(rates.failed.per_second(now))},
          {"prompt_tokens_per_s", rounded(rates.prompt_tokens.per_second(now))},
          {"tokens_per_s", rounded(rates.tokens.per_second(now))},
          {"kv_bytes_per_s", rounded(rates.kv_bytes.per_second(now))}};
}

ordered_json history_json(const Traffic::Rates& rates, Instant now) {
  return {{"seconds", Recent::kSeconds},
          {"tokens", rates.tokens.history(now)},
          {"prompt_tokens", rates.prompt_tokens.history(now)},
          {"requests", rates.begun.history(now)},
          {"kv_bytes", rates.kv_bytes.history(now)}};
}

}  // namespace

std::string cluster_snapshot(const Gateway& gateway, const RequestLog& log, const RequestLog::Visible& is_visible) {
  const ClusterRouter& cluster = gateway.cluster();
  const Router& router = cluster.router();
  const Traffic& traffic = gateway.traffic();
  const Instant now = cluster.clock().now();
  return text_of({{"version", version()},
                  {"model", cluster.config().model.stem().string()},
                  {"at_ms", unix_ms()},
                  {"groups", groups_json(gateway, router.paths())},
                  {"paths", paths_json(gateway)},
                  {"waiting", router.n_waiting()},
                  {"served", router.n_served() - router.n_waiting()},
                  {"in_flight", in_flight_json(router, oldest(log, is_visible))},
                  {"latest", log.latest(kLatest, is_visible)},
                  {"latency",
                   {{"ttft", json_of(traffic.latencies().to_first_token)},
                    {"itl", json_of(traffic.latencies().between_tokens)},
                    {"e2e", json_of(traffic.latencies().end_to_end)}}},
                  {"rates", rates_json(traffic.rates(), now)},
                  {"history", history_json(traffic.rates(), now)},
                  {"counters", counters_json(router)}});
}

}  // namespace ferry
