#include "launch/commands/bench_handoff.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "launch/bench/handoff_bench.h"
#include "launch/io/progress.h"
#include "launch/io/svg_plot.h"
#include "launch/io/table.h"
#include "launch/runtime/compose.h"

namespace ferry {

namespace {

struct HandoffOptions {
  std::string cluster;
  std::vector<int> prompts = {128, 512, 2048};
  int repeat = 3;
  std::string plot;
  bool json = false;
};

struct Samples {
  std::vector<double> exposed_ms, ttft_ms;
  Account last;
  void add(const Account& account) {
    exposed_ms.push_back(account.bill.exposed_transfer_ms);
    ttft_ms.push_back(account.ttft_ms);
    last = account;
  }
};

// One prompt length, in the three ways, in turns.
struct Case {
  int n_tokens = 0;
  Samples layers, after_prefill, colocated;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string first_prefill_group(const std::string& yaml) {
  for (const GroupConfig& group : load_cluster(yaml).groups) {
    if (group.role == GroupConfig::Role::prefill) return group.name;
  }
  throw Error(yaml + ": a handoff needs a group with role: prefill");
}

// The role of that group, changed by its place in the list.
Overrides as_mixed(const std::string& yaml, const std::string& name, Overrides overrides) {
  const ClusterConfig config = load_cluster(yaml);
  std::string groups;
  for (const GroupConfig& g : config.groups) {
    if (g.name == name)
      groups = fmt::format("groups=[{{name: {}, role: mixed, tp: {}, hosts: [{}]}}]", g.name, g.tp,
                           fmt::join(g.hosts, ", "));
  }
  overrides.push_back(groups);
  return overrides;
}

std::vector<Case> measure(const HandoffOptions& o, const ModelFile& file, PairReport& path) {
  const Overrides plain = {"kv.prefix_cache=off"};
  const auto with = [&](const char* overlap) {
    Overrides all = plain;
    all.push_back(overlap);
    return all;
  };
  BenchCluster layers(o.cluster, with("link.overlap=layers"), file);
  BenchCluster after(o.cluster, with("link.overlap=after_prefill"), file);
  BenchCluster colocated(o.cluster, as_mixed(o.cluster, first_prefill_group(o.cluster), plain), file);
  path = layers.path();
  const SteadyClock clock;
  Progress progress("handoffs", o.prompts.size() * o.repeat, clock, std::cerr, Progress::form_for(STDERR_FILENO));
  for (BenchCluster* cluster : {&layers, &after, &colocated}) cluster->answer(16);  // warms up
  std::vector<Case> cases;
  size_t done = 0;
  for (const int n : o.prompts) {
    Case& c = cases.emplace_back();
    c.n_tokens = n;
    for (int i = 0; i < o.repeat; ++i) {
      c.layers.add(layers.answer(n));
      c.after_prefill.add(after.answer(n));
      c.colocated.add(colocated.answer(n));
      progress.update(++done, fmt::format("{} tokens", n));
    }
  }
  return cases;
}

nlohmann::ordered_json json_of(const Case& c, const PairReport& path, int n_layers) {
  const double exposed = median(c.layers.exposed_ms), after = median(c.after_prefill.exposed_ms);
  const double layer_ms = after / n_layers, ttft = median(c.layers.ttft_ms), alone = median(c.colocated.ttft_ms);
  return {{"prompt_tokens", c.n_tokens},
          {"transport", path.transport},
          {"gb_per_s", path.there.gb_per_s},
          {"kv_bytes", c.layers.last.bill.kv_bytes},
          {"exposed_ms", exposed},
          {"exposed_after_prefill_ms", after},
          {"layer_ms", layer_ms},
          {"exposed_layers", exposed / layer_ms},
          {"ttft_ms", ttft},
          {"ttft_after_prefill_ms", median(c.after_prefill.ttft_ms)},
          {"ttft_colocated_ms", alone},
          {"ttft_overhead", ttft / alone - 1}};
}

void print(const HandoffOptions& o, const std::vector<nlohmann::ordered_json>& rows) {
  if (o.json) {
    for (const auto& row : rows) std::cout << row.dump() << "\n";
    return;
  }
  Table table(
      {"prompt", "over", "KV MB", "exposed ms", "at the end ms", "layers", "TTFT ms", "colocated ms", "overhead"});
  for (const auto& r : rows) {
    table.row(
        {fmt::format("{}", r["prompt_tokens"].get<int>()), r["transport"],
         fmt::format("{:.1f}", r["kv_bytes"].get<double>() / 1e6), fmt::format("{:.2f}", r["exposed_ms"].get<double>()),
         fmt::format("{:.2f}", r["exposed_after_prefill_ms"].get<double>()),
         fmt::format("{:.2f}", r["exposed_layers"].get<double>()), fmt::format("{:.0f}", r["ttft_ms"].get<double>()),
         fmt::format("{:.0f}", r["ttft_colocated_ms"].get<double>()),
         fmt::format("{:+.1f} %", 100 * r["ttft_overhead"].get<double>())});
  }
  table.print(std::cout);
}

void write_plot(const std::string& path, const std::vector<nlohmann::ordered_json>& rows) {
  PlotSeries layers = {.name = "layer by layer", .points = {}}, after = {.name = "after the prefill", .points = {}};
  PlotSeries one = {.name = "one layer's transfer", .points = {}, .line = PlotSeries::Line::dashed};
  for (const auto& r : rows) {
    const double x = r["prompt_tokens"];
    layers.points.push_back({x, r["exposed_ms"]});
    after.points.push_back({x, r["exposed_after_prefill_ms"]});
    one.points.push_back({x, r["layer_ms"]});
  }
  std::ofstream file(path);
  file << svg_of({.title = "Transfer that is not hidden behind the prefill",
                  .subtitle = fmt::format("over {}", rows.at(0)["transport"].get<std::string>()),
                  .x = {.label = "prompt tokens", .scale = PlotAxis::Scale::log2},
                  .y = {.label = "exposed transfer, ms", .scale = PlotAxis::Scale::log10},
                  .series = {layers, after, one}});
  if (!file.flush()) throw Error(str("cannot write ", path));
}

int run(const HandoffOptions& o) {
  const ModelFile file(load_cluster(o.cluster).model);
  PairReport path;
  std::vector<nlohmann::ordered_json> rows;
  for (const Case& c : measure(o, file, path)) rows.push_back(json_of(c, path, file.config.n_layers));
  print(o, rows);
  if (!o.plot.empty()) write_plot(o.plot, rows);
  return kDone;
}

}  // namespace

void add_bench_handoff(CLI::App& bench, Chosen& chosen) {
  auto options = std::make_shared<HandoffOptions>();
  CLI::App* command = bench.add_subcommand("handoff", "What a handoff costs beyond the prefill");
  command->footer(
      "Example:\n  ferry bench handoff launch/examples/quickstart.yaml --prompts 128,512 --plot handoff.svg");
  command->add_option("cluster", options->cluster, "cluster.yaml with a prefill and a decode group")->required();
  command->add_option("--prompts", options->prompts, "Prompt lengths")->delimiter(',')->capture_default_str();
  command->add_option("--repeat", options->repeat, "Repeats, in turns; medians are shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_option("--plot", options->plot, "Write exposed transfer against prompt length")->type_name("FILE.svg");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
