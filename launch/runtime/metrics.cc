#include "launch/runtime/metrics.h"

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/base/error.h"
#include "launch/io/metrics_text.h"

namespace ferry {

namespace {

void add_requests(MetricsText& text, const Router& router) {
  const Router::Counters& c = router.counters();
  text.family("requests_total", "counter", "Requests, by how they ended");
  text.value({{"end", "finished"}}, c.finished);
  text.value({{"end", "failed"}}, c.failed);
  text.value({{"end", "cancelled"}}, c.cancelled);
  text.family("requests", "gauge", "Requests now, by state; aborting: their groups still clear up");
  text.value({{"state", "waiting"}}, router.n_waiting());
  text.value({{"state", "served"}}, router.n_served() - router.n_waiting());
  text.value({{"state", "aborting"}}, router.n_aborting());
  text.family("queue", "gauge", "Requests that wait for their first attempt, by priority");
  for (const Priority p : {Priority::high, Priority::normal, Priority::low})
    text.value({{"priority", name_of(p)}}, router.n_waiting(p));
  text.family("retries_total", "counter", "Attempts after a failed one, by rung of the ladder");
  for (const Rung rung : {Rung::same_pair, Rung::other_prefill, Rung::other_decode, Rung::colocated})
    text.value({{"rung", name_of(rung)}}, c.retries[static_cast<size_t>(rung)]);
  text.single("full_total", "counter", "Times that a decode group had no room", c.full);
  text.family("router_messages_refused_total", "counter", "Messages of an old attempt, or of who has no say in it");
  text.value({{"why", "stale"}}, c.stale);
  text.value({{"why", "not_allowed"}}, c.refused);
}

void add_groups(MetricsText& text, const std::vector<Router::GroupReport>& groups) {
  text.family("group_ranks", "gauge", "Ranks of each group that has joined");
  for (const auto& g : groups) text.value({{"group", g.name}, {"role", role_name(g.role)}}, g.tp);
  text.family("group_state", "gauge", "1, with the state that the group is in");
  for (const auto& g : groups) text.value({{"group", g.name}, {"state", name_of(g.state)}}, 1);
  text.family("pages", "gauge", "KV pages, by state");
  for (const auto& g : groups) {
    text.value({{"group", g.name}, {"state", "free"}}, g.stats.pages.free);
    text.value({{"group", g.name}, {"state", "leased"}}, g.stats.pages.leased);
    text.value({{"group", g.name}, {"state", "shared"}}, g.stats.pages.shared);
    text.value({{"group", g.name}, {"state", "quarantined"}}, g.stats.pages.quarantined);
  }
  text.family("sequences", "gauge", "Sequences in a group, by state");
  for (const auto& g : groups) {
    text.value({{"group", g.name}, {"state", "waiting"}}, g.stats.n_waiting);
    text.value({{"group", g.name}, {"state", "running"}}, g.stats.n_running);
    text.value({{"group", g.name}, {"state", "reserved"}}, g.stats.n_reserved);
    text.value({{"group", g.name}, {"state", "shipping"}}, g.stats.n_shipping);
  }
  text.family("messages_refused_total", "counter", "Messages between groups that were not processed");
  for (const auto& g : groups) {
    text.value({{"group", g.name}, {"why", "stale"}}, g.stats.n_stale);
    text.value({{"group", g.name}, {"why", "hostile"}}, g.stats.n_refused);
  }
  text.family("preemptions_total", "counter", "Sequences that gave their pages to one that was due before them");
  for (const auto& g : groups) text.value({{"group", g.name}}, g.stats.n_preempted);
  text.family("prefix_cache_queries_total", "counter", "Tokens of prompts that were looked for in a prefix cache");
  for (const auto& g : groups) text.value({{"group", g.name}}, g.stats.n_prompt_tokens);
  text.family("prefix_cache_hits_total", "counter", "Tokens of prompts whose KV was in the prefix cache");
  for (const auto& g : groups) text.value({{"group", g.name}}, g.stats.n_found_tokens);
}

template <class Number>
void add_directions(MetricsText& text, const PairReport& p, Number there, Number back) {
  const auto value = [&](std::string_view direction, Number number) {
    text.value({{"prefill", p.prefill}, {"decode", p.decode}, {"transport", p.transport}, {"direction", direction}},
               number);
  };
  value("there", there);
  value("back", back);
}

void add_paths(MetricsText& text, std::vector<PairReport> paths) {
  std::erase_if(paths, [](const PairReport& p) { return p.transport.empty(); });
  text.family("path_bandwidth_bytes_per_second", "gauge", "Of a path between groups, measured when it was made");
  for (const PairReport& p : paths) add_directions(text, p, p.there.gb_per_s * 1e9, p.back.gb_per_s * 1e9);
  text.family("path_latency_seconds", "gauge", "Of a small put and its flush, measured when the path was made");
  for (const PairReport& p : paths) add_directions(text, p, p.there.latency_us / 1e6, p.back.latency_us / 1e6);
}

}  // namespace

std::string_view role_name(wire::Role role) {
  constexpr std::string_view kNames[] = {"prefill", "decode", "mixed"};  // as in Role
  return kNames[static_cast<size_t>(role)];
}

std::string metrics_text(const Router& router) {
  MetricsText text;
  add_requests(text, router);
  add_groups(text, router.groups());
  add_paths(text, router.paths());
  return text.take();
}

void write_metrics(const std::string& file, const Router& router) {
  const std::string fresh = file + ".new";
  std::ofstream out(fresh, std::ios::trunc);
  out << metrics_text(router);
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(fresh, file, error);
  if (!out || error) throw Error(str("cannot write metrics to ", file));
}

}  // namespace ferry
