#include "launch/runtime/metrics.h"

#include <fmt/format.h>

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
  text.value(R"(end="finished")", c.finished);
  text.value(R"(end="failed")", c.failed);
  text.value(R"(end="cancelled")", c.cancelled);
  text.family("requests", "gauge", "Requests now");
  text.value(R"(state="waiting")", router.n_waiting());
  text.value(R"(state="served")", router.n_served() - router.n_waiting());
  text.value(R"(state="aborting")", router.n_aborting());
  text.family("queue", "gauge", "Requests that wait for their first attempt, by priority");
  for (const Priority p : {Priority::high, Priority::normal, Priority::low})
    text.value(fmt::format(R"(priority="{}")", name_of(p)), router.n_waiting(p));
  text.family("retries_total", "counter", "Attempts after a failed one, by rung of the ladder");
  for (const Rung rung : {Rung::same_pair, Rung::other_prefill, Rung::other_decode, Rung::colocated})
    text.value(fmt::format(R"(rung="{}")", name_of(rung)), c.retries[static_cast<size_t>(rung)]);
  text.family("full_total", "counter", "Times that a decode group had no room");
  text.value("", c.full);
  text.family("router_messages_refused_total", "counter", "Messages of an old attempt, or of who has no say in it");
  text.value(R"(why="stale")", c.stale);
  text.value(R"(why="not_allowed")", c.refused);
}

void add_groups(MetricsText& text, const std::vector<Router::GroupReport>& groups) {
  const auto of = [](const Router::GroupReport& g, std::string_view more) {
    return fmt::format(R"(group="{}"{}{})", g.name, more.empty() ? "" : ",", more);
  };
  text.family("pages", "gauge", "KV pages, by state");
  for (const auto& g : groups) {
    text.value(of(g, R"(state="free")"), g.stats.pages.free);
    text.value(of(g, R"(state="leased")"), g.stats.pages.leased);
    text.value(of(g, R"(state="shared")"), g.stats.pages.shared);
    text.value(of(g, R"(state="quarantined")"), g.stats.pages.quarantined);
  }
  text.family("group_state", "gauge", "1 for the state that a group is in");
  for (const auto& g : groups) text.value(of(g, fmt::format(R"(state="{}")", name_of(g.state))), 1);
  text.family("sequences", "gauge", "Sequences in a group, by state");
  for (const auto& g : groups) {
    text.value(of(g, R"(state="waiting")"), g.stats.n_waiting);
    text.value(of(g, R"(state="running")"), g.stats.n_running);
    text.value(of(g, R"(state="reserved")"), g.stats.n_reserved);
    text.value(of(g, R"(state="shipping")"), g.stats.n_shipping);
  }
  text.family("messages_refused_total", "counter", "Messages between groups that were not processed");
  for (const auto& g : groups) {
    text.value(of(g, R"(why="stale")"), g.stats.n_stale);
    text.value(of(g, R"(why="hostile")"), g.stats.n_refused);
  }
  text.family("prompt_tokens_total", "counter", "Tokens of prompts, and those whose KV was there already");
  for (const auto& g : groups) {
    text.value(of(g, R"(kind="all")"), g.stats.n_prompt_tokens);
    text.value(of(g, R"(kind="found")"), g.stats.n_found_tokens);
  }
  text.family("preemptions_total", "counter", "Sequences that gave their pages to one that was due before them");
  for (const auto& g : groups) text.value(of(g, ""), g.stats.n_preempted);
}

void add_paths(MetricsText& text, const std::vector<PairReport>& paths) {
  const auto of = [](const PairReport& p, std::string_view direction) {
    return fmt::format(R"(prefill="{}",decode="{}",transport="{}",direction="{}")", p.prefill, p.decode, p.transport,
                       direction);
  };
  text.family("path_gb_per_s", "gauge", "Bandwidth of a path, measured when it was made");
  for (const PairReport& p : paths) {
    if (p.transport.empty()) continue;
    text.value(of(p, "there"), p.there.gb_per_s);
    text.value(of(p, "back"), p.back.gb_per_s);
  }
  text.family("path_latency_us", "gauge", "Time of a small put and its flush, measured when the path was made");
  for (const PairReport& p : paths) {
    if (p.transport.empty()) continue;
    text.value(of(p, "there"), p.there.latency_us);
    text.value(of(p, "back"), p.back.latency_us);
  }
}

}  // namespace

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
