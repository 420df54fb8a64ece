#include "launch/observe/top_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>

#include "launch/io/bars.h"
#include "launch/io/table.h"
#include "launch/observe/printable_json.h"
#include "launch/observe/words.h"

namespace ferry {

namespace {

using nlohmann::json;

void add_head(std::ostream& out, const json& c, const Screen& screen) {
  const json& rates = c.at("rates");
  out << tinted("Ferry", Tint::bold, screen.colours) << ' ' << tinted(text_at(c, "model"), Tint::dim, screen.colours)
      << '\n';
  out << fmt::format("{} tokens/s  {} prompt tokens/s  {} requests/s  KV {}/s\n", rate_text(rates.at("tokens_per_s")),
                     rate_text(rates.at("prompt_tokens_per_s")), rate_text(rates.at("requests_per_s")),
                     bytes_text(rates.at("kv_bytes_per_s")));
  const auto history = c.at("history").at("tokens").get<std::vector<double>>();
  out << tinted(sparkline(history, screen.columns), Tint::cyan, screen.colours) << '\n';
}

Tint tint_of(std::string_view state) {
  if (state == "ready") return Tint::green;
  return state == "absent" || state == "silent" || state == "failing" ? Tint::red : Tint::yellow;
}

// What matters most stands first: a line that is too long is cut.
void add_groups(std::ostream& out, const json& groups, const Screen& screen) {
  constexpr int kOthers = 70;
  const int width = std::clamp(screen.columns - kOthers, 6, 40);
  const std::string head = fmt::format("{:<14} {:<10} {:<7} {:>2} {:<{}} {:>11} {:>4} {:>5} {:>8}", "GROUP", "state",
                                       "role", "TP", "pages", width, "free", "run", "queue", "tokens/s");
  out << tinted(head, Tint::bold, screen.colours) << '\n';
  for (const json& g : groups) {
    const json& pages = g.at("pages");
    const double total = std::max(pages.at("total").get<double>(), 1.0);
    const std::vector<Stretch> used = {{pages.at("leased").get<double>() / total, Tint::cyan},
                                       {pages.at("shared").get<double>() / total, Tint::green},
                                       {pages.at("quarantined").get<double>() / total, Tint::red}};
    const std::string state = text_at(g, "state");
    out << fmt::format("{:<14.14} {} {:<7} {:>2} {} {:>11} {:>4} {:>5} {:>8}\n", text_at(g, "name"),
                       tinted(fmt::format("{:<10}", state), tint_of(state), screen.colours), text_at(g, "role"),
                       g.at("tp").get<int>(), stacked_bar(used, width, screen.colours),
                       fmt::format("{}/{}", pages.at("free").get<int>(), pages.at("total").get<int>()),
                       g.at("running").get<int>(), g.at("queued").get<int>(), rate_text(g.at("tokens_per_s")));
  }
}

void add_paths(std::ostream& out, const json& paths, const Screen& screen) {
  if (paths.empty()) return;
  Table table({"PATH", "transport", "GB/s", "µs", "now", "state"});
  for (const json& p : paths) {
    table.row({text_at(p, "prefill") + " → " + text_at(p, "decode"), text_at(p, "transport"),
               fmt::format("{:.2f}", p.at("gb_per_s").get<double>()),
               fmt::format("{:.1f}", p.at("latency_us").get<double>()), bytes_text(p.at("bytes_per_s")) + "/s",
               text_at(p, "state")});
  }
  out << '\n';
  table.print(out, screen.colours);
}

void add_latencies(std::ostream& out, const json& latency, const Screen& screen) {
  Table table({"LATENCY", "p50", "p90", "p99", "of"});
  constexpr std::pair<const char*, const char*> kKinds[] = {
      {"ttft", "first token"}, {"itl", "between tokens"}, {"e2e", "whole answer"}};
  for (const auto& [key, name] : kKinds) {
    const json& l = latency.at(key);
    if (l.at("n").get<int>() == 0) continue;
    table.row({name, duration_text(l.at("p50_ms")), duration_text(l.at("p90_ms")), duration_text(l.at("p99_ms")),
               std::to_string(l.at("n").get<int>())});
  }
  out << '\n';
  table.print(out, screen.colours);
}

void add_requests(std::ostream& out, const json& c, const Screen& screen) {
  const json& requests = c.at("in_flight");
  Table table({fmt::format("REQUEST ({} run, {} wait)", c.at("served").get<int>(), c.at("waiting").get<int>()), "stage",
               "age", "tokens", "route"});
  for (const json& r : requests) {
    const std::string prefill = text_at(r, "prefill"), decode = text_at(r, "decode");
    table.row({text_at(r, "id"), text_at(r, "stage"), duration_text(r.at("age_ms")),
               fmt::format("{}+{}", r.at("prompt_tokens").get<int>(), r.at("tokens").get<int>()),
               prefill == decode ? decode : fmt::format("{} → {}", prefill, decode)});
  }
  out << '\n';
  if (requests.empty()) {
    out << tinted("no request is under way", Tint::dim, screen.colours) << '\n';
  } else {
    table.print(out, screen.colours);
  }
}

}  // namespace

std::string top_view(const json& cluster, const Screen& screen) {
  std::ostringstream out;
  add_head(out, cluster, screen);
  out << '\n';
  if (cluster.at("groups").empty()) out << "no group has joined, and cluster.yaml names none\n";
  add_groups(out, cluster.at("groups"), screen);
  add_paths(out, cluster.at("paths"), screen);
  add_latencies(out, cluster.at("latency"), screen);
  add_requests(out, cluster, screen);
  return fitted(out.str(), screen);
}

}  // namespace ferry
