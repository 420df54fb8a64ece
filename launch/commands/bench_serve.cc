#include "launch/commands/bench_serve.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "launch/bench/added_latency.h"
#include "launch/bench/bench_server.h"
#include "launch/bench/load_report.h"
#include "launch/bench/load_run.h"
#include "launch/bench/stub_group.h"
#include "launch/commands/router_option.h"
#include "launch/io/progress.h"
#include "launch/io/svg_plot.h"
#include "launch/io/table.h"
#include "launch/process/descriptor_limit.h"
#include "launch/process/temporary_yaml.h"
#include "launch/runtime/compose.h"

namespace ferry {

namespace {

using nlohmann::ordered_json;

struct ServeBench {
  std::string cluster, url, key, model;
  bool stub = false;
  double stub_step_ms = 0, stub_prefill_ms = 0;
  int requests = 64;
  std::vector<double> rate;
  std::vector<int> concurrency;
  int prompt_tokens = 128, max_tokens = 64;
  std::string trace;
  double trace_lengths = 1, trace_pace = 1;
  uint64_t seed = 1;
  ServiceGoal goal;
  std::string plot;
  bool json = false;
};

// One run: as many requests a second, or as many clients, or a trace.
struct Level {
  std::string how;  // "rate", "concurrency", "trace"
  double value = 0;
  LoadPlan plan;
  LoadResult result;
  uint64_t first_name = 0;
  ProcessUsage before, after;  // of a router in front of a stub
};

// ---- what is asked

std::vector<Level> levels_of(const ServeBench& o) {
  const PlannedRequest shape = {.n_prompt_tokens = o.prompt_tokens, .n_tokens = o.max_tokens, .blocks = {}};
  std::vector<Level> levels;
  if (!o.trace.empty()) {
    std::ifstream file(o.trace);
    if (!file) throw Error("cannot open " + o.trace);
    const TraceScale scale = {.lengths = o.trace_lengths, .pace = o.trace_pace, .max_requests = o.requests};
    levels.push_back({.how = "trace", .value = o.trace_pace, .plan = read_trace(file, o.trace, scale)});
  }
  for (const double rate : o.rate)
    levels.push_back({.how = "rate", .value = rate, .plan = poisson_plan(o.requests, rate, shape, o.seed)});
  for (const int clients : o.concurrency)
    levels.push_back({.how = "concurrency",
                      .value = static_cast<double>(clients),
                      .plan = poisson_plan(o.requests, 0, shape, o.seed)});
  return levels;
}

// ---- whom

// What answers, started for this run where no URL says otherwise.
struct Served {
  std::unique_ptr<TemporaryYaml> yaml;
  std::unique_ptr<BenchServer> server;
  std::unique_ptr<StubGroup> stub;
  std::string url;
};

Served stub_of(const ServeBench& o) {
  if (o.model.empty()) throw Error("--stub needs --model FILE: the router makes text of tokens");
  Served served;
  const std::string control = fmt::format("127.0.0.1:{}", free_port());
  served.yaml = std::make_unique<TemporaryYaml>(
      fmt::format("model: {}\ngroups: [{{name: stub, role: mixed}}]\ndeadline_ms: 600000\n"
                  "router: {{listen: \"127.0.0.1:{}\", control: \"{}\"}}\n",
                  quoted_yaml(std::filesystem::absolute(o.model).string()), free_port(), control));
  served.server = std::make_unique<BenchServer>("router", served.yaml->path());
  served.stub = std::make_unique<StubGroup>(stub_rules(o.model, ms(o.stub_prefill_ms), ms(o.stub_step_ms)), control);
  return served;
}

Served served_by(const ServeBench& o) {
  Served served;
  if (o.stub) served = stub_of(o);
  if (!o.cluster.empty()) served.server = std::make_unique<BenchServer>("up", o.cluster, o.key);
  if (served.server) served.server->wait_until_ready();
  served.url = served.server ? served.server->url() : o.url;
  return served;
}

// ---- the run

void measure(const ServeBench& o, const Served& served, Level& level) {
  const SteadyClock clock;
  Progress progress(fmt::format("{} {}", level.how, level.value), level.plan.size(), clock, std::cerr,
                    Progress::form_for(STDERR_FILENO));
  const LoadRules rules = {.url = served.url,
                           .key = o.key,
                           .seed = o.seed,
                           .first_name = level.first_name,
                           .concurrency = level.how == "concurrency" ? static_cast<int>(level.value) : 0,
                           .on_turn = [&](size_t n_done) {
                             if (served.server) served.server->turn();
                             progress.update(n_done);
                           }};
  if (served.stub) level.before = served.server->usage();
  level.result = run_load(level.plan, rules);
  if (served.stub) level.after = served.server->usage();
  progress.update(level.plan.size());
}

// ---- what came of it

ordered_json router_json(const Level& level, const StubEngine::Said& said, int64_t n_tokens) {
  const double per_token = n_tokens > 0 ? 1e6 / static_cast<double>(n_tokens) : 0;
  const double main_s = level.after.main_thread_s - level.before.main_thread_s;
  return {{"added_ms", json_of(spread_of(added_ms(level.result.records, level.first_name, said)))},
          {"cpu_us_per_token", (level.after.cpu_s - level.before.cpu_s) * per_token},
          {"main_thread_us_per_token", main_s * per_token},
          {"peak_mb", static_cast<double>(level.after.most_bytes) / 1e6}};
}

ordered_json json_of(const ServeBench& o, const Level& level, const StubEngine::Said* said) {
  ordered_json line = {{level.how, level.value}, {"most_open", level.result.most_open}, {"seed", o.seed}};
  const LoadReport report = report_of(level.result.records, o.goal);
  line.update(json_of(report));
  if (said) line["router"] = router_json(level, *said, report.n_tokens);
  return line;
}

std::vector<std::string> cells_of(const ordered_json& line) {
  const auto pair = [&](const ordered_json& spread) {
    return fmt::format("{:.1f} / {:.1f}", spread["p50"].get<double>(), spread["p99"].get<double>());
  };
  const auto number = [](const ordered_json& value) { return fmt::format("{:.1f}", value.get<double>()); };
  const auto& first = line.items().begin();
  return {fmt::format("{} {}", first.key(), first.value().get<double>()),
          fmt::format("{}/{}", line["answered"].get<int>(), line["requests"].get<int>()),
          number(line["requests_per_s"]),
          number(line["goodput_per_s"]),
          number(line["tokens_per_s"]),
          pair(line["ttft_ms"]),
          pair(line["itl_ms"]),
          pair(line["e2e_ms"])};
}

void print(const ServeBench& o, const std::vector<ordered_json>& lines) {
  if (o.json) {
    for (const ordered_json& line : lines) std::cout << line.dump() << "\n";
    return;
  }
  Table table(
      {"load", "answered", "req/s", "good/s", "tok/s", "TTFT p50 / p99 ms", "ITL p50 / p99 ms", "end p50 / p99 ms"});
  for (const ordered_json& line : lines) table.row(cells_of(line));
  table.print(std::cout, colours_for(STDOUT_FILENO));
  for (const ordered_json& line : lines) {
    for (const auto& [error, n] : line["errors"].items()) std::cout << n << " failed: " << error << "\n";
    if (line["late_ms"]["p99"] > 10.0)
      std::cout << "the load generator itself was late: p99 " << line["late_ms"]["p99"] << " ms\n";
    if (!line.contains("router")) continue;
    const ordered_json& router = line["router"];
    std::cout << fmt::format(
        "the router adds {:.0f} µs to a token (p99 {:.0f}), and takes {:.1f} µs of CPU for it, {:.1f} of them on its "
        "own "
        "thread; {:.0f} MB at most\n",
        router["added_ms"]["p50"].get<double>() * 1000, router["added_ms"]["p99"].get<double>() * 1000,
        router["cpu_us_per_token"].get<double>(), router["main_thread_us_per_token"].get<double>(),
        router["peak_mb"].get<double>());
  }
}

void write_plot(const ServeBench& o, const std::vector<ordered_json>& lines) {
  std::vector<PlotSeries> series;
  for (const char* what : {"ttft_ms", "itl_ms"}) {
    for (const char* share : {"p50", "p99"}) {
      PlotSeries one = {.name = fmt::format("{} {}", what == std::string("ttft_ms") ? "TTFT" : "ITL", share),
                        .points = {}};
      for (const ordered_json& line : lines) one.points.push_back({line.begin().value(), line[what][share]});
      series.push_back(std::move(one));
    }
  }
  std::ofstream file(o.plot);
  file << svg_of({.title = "What clients wait for, under load",
                  .subtitle = fmt::format("prompts of {} tokens, answers of {}", o.prompt_tokens, o.max_tokens),
                  .x = {.label = lines.at(0).begin().key() == "rate" ? "requests a second" : "clients"},
                  .y = {.label = "ms", .scale = PlotAxis::Scale::log10},
                  .series = std::move(series)});
  if (!file.flush()) throw Error(str("cannot write ", o.plot));
}

int run(const ServeBench& o) {
  std::vector<Level> levels = levels_of(o);
  raise_descriptor_limit();  // a connection is one
  const Served served = served_by(o);
  uint64_t next_name = 1;  // 0 is what the router asks itself, to be ready
  for (Level& level : levels) {
    level.first_name = next_name;
    next_name += level.plan.size();
    measure(o, served, level);
  }
  const StubEngine::Said* said = served.stub ? &served.stub->end() : nullptr;
  std::vector<ordered_json> lines;
  lines.reserve(levels.size());
  for (const Level& level : levels) lines.push_back(json_of(o, level, said));
  print(o, lines);
  if (!o.plot.empty()) write_plot(o, lines);
  return std::ranges::all_of(lines, [](const ordered_json& line) { return line["errors"].empty(); }) ? kDone
                                                                                                     : kSomeFailed;
}

void check_choices(ServeBench& o) {
  const int n_targets = !o.cluster.empty() + !o.url.empty() + o.stub;
  if (n_targets != 1) throw Error("bench serve needs one of CLUSTER.yaml, --url and --stub");
  if (o.trace.empty() && o.rate.empty() && o.concurrency.empty()) o.concurrency = {8};
}

}  // namespace

void add_bench_serve(CLI::App& bench, Chosen& chosen) {
  auto o = std::make_shared<ServeBench>();
  CLI::App* command = bench.add_subcommand("serve", "What clients of the API wait for, under load");
  command->footer(
      "Examples:\n"
      "  ferry bench serve launch/examples/quickstart.yaml --rate 1,2,4 --ttft-slo 500 --itl-slo 50\n"
      "  ferry bench serve --url http://127.0.0.1:8000 --trace trace.csv --trace-lengths 0.1\n"
      "  ferry bench serve --stub --model FILE.gguf --concurrency 64 --requests 256     (the router alone)");
  command->add_option("cluster", o->cluster, "cluster.yaml: served by this command while it measures");
  command->add_option("--url", o->url, "A server that runs already")->type_name("URL");
  add_key_options(*command, o->key);
  command->add_flag("--stub", o->stub, "A router before a group without a model, which says one token again and again");
  command->add_option("--model", o->model, "With --stub: whose tokens")->type_name("FILE");
  command->add_option("--stub-step", o->stub_step_ms, "Time between its tokens, ms")->capture_default_str();
  command->add_option("--stub-prefill", o->stub_prefill_ms, "Time before its first token, ms")->capture_default_str();
  command->add_option("--requests", o->requests, "Of each run, at most")
      ->check(CLI::Range(1, 1 << 20))
      ->capture_default_str();
  command->add_option("--rate", o->rate, "Requests a second, at random times; a run for each")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  command->add_option("--concurrency", o->concurrency, "Clients, each with one request at a time; a run for each (8)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  command->add_option("--prompt-tokens", o->prompt_tokens, "Of each request")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--max-tokens", o->max_tokens, "Of each answer")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--trace", o->trace, "Replays Azure's CSV or Mooncake's JSON lines")->type_name("FILE");
  command->add_option("--trace-lengths", o->trace_lengths, "Factor on its lengths")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--trace-pace", o->trace_pace, "Factor on its pace")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--seed", o->seed, "Of times and prompts")->capture_default_str();
  command->add_option("--ttft-slo", o->goal.ttft_ms, "A good answer's first token comes within, ms");
  command->add_option("--itl-slo", o->goal.itl_ms, "and its others, on average, every so many ms");
  command->add_option("--plot", o->plot, "Write the latencies against the load")->type_name("FILE.svg");
  command->add_flag("--json", o->json, "One JSON object a run");
  command->callback([o, &chosen] {
    chosen = [o] {
      check_choices(*o);
      return run(*o);
    };
  });
}

}  // namespace ferry
