#include "launch/commands/bench_model.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "kernels/cpu/limits.h"
#include "kernels/cuda/card_limits.h"
#include "launch/bench/model_bench.h"
#include "launch/commands/model_options.h"
#include "launch/io/svg_plot.h"
#include "launch/io/table.h"
#include "launch/runtime/compose.h"
#include "launch/runtime/rank_compute.h"

namespace ferry {

namespace {

struct BenchOptions {
  ClusterConfig config;
  std::vector<int> prefill = {32, 128, 512};
  std::vector<int> batch = {1, 8, 32};
  std::vector<int> context = {128, 1024};
  int steps = 8;
  int repeat = 3;
  std::string kv_cache = "on";
  std::string plot;
  bool json = false;
};

struct Row {
  nlohmann::json json;
  std::vector<std::string> cells;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Of all ranks together.
struct Limits {
  std::string arithmetic;  // "f32"
  double flop_s = 0;       // infinite where nobody could measure it
  double read_byte_s = 0;
};

// What every case needs, made once.
struct Bench {
  const BenchOptions& options;
  const ModelFile& file;
  ModelBench& model;
  Limits limits;
  int n_ranks = 1;
};

Limits limits_of(RankCompute& compute, int ranks_on_this_host) {
  if (!compute.on_card()) {
    const CpuLimits cpu = measure_cpu_limits(compute.n_threads() * ranks_on_this_host);
    return {.arithmetic = "f32", .flop_s = cpu.f32_gflop_s * 1e9, .read_byte_s = cpu.read_gb_s * 1e9};
  }
  const CardLimits card = measure_card_limits(compute.ops().device());
  const double n_cards = static_cast<double>(compute.group().size()) / compute.ranks_on_card();
  return {.arithmetic = "bf16",
          .flop_s = card.product_tflop_s > 0 ? n_cards * card.product_tflop_s * 1e12 : HUGE_VAL,
          .read_byte_s = n_cards * card.read_gb_s * 1e9};
}

// At best, as fast as the arithmetic or as the weights and the KV can be read, whichever takes longer.
double least_seconds(const Bench& b, double flops, double bytes) {
  return std::max(flops / b.limits.flop_s, bytes / b.limits.read_byte_s);
}

Row row_of(nlohmann::json json, const std::string& name, double tokens, const std::vector<double>& seconds,
           double least) {
  const double best = *std::min_element(seconds.begin(), seconds.end());
  json["tok_s"] = tokens / best;
  json["median"] = tokens / median(seconds);
  json["limit_tok_s"] = tokens / least;
  json["share_of_limit"] = least / best;
  return {json,
          {name, fmt::format("{:.1f}", tokens / best), fmt::format("{:.1f}", tokens / median(seconds)),
           fmt::format("{:.0f}", tokens / least), fmt::format("{:.2f}", least / best)}};
}

// What a step takes that is not the device's work.
void add_host_work(Row& row, double host_seconds, double seconds) {
  row.json["host_us"] = host_seconds * 1e6;
  row.json["host_share"] = host_seconds / seconds;
  row.cells.push_back(fmt::format("{:.0f} µs, {:.3f}", host_seconds * 1e6, host_seconds / seconds));
}

Row prefill_row(const Bench& b, int n) {
  std::vector<double> seconds;
  seconds.reserve(static_cast<size_t>(b.options.repeat));
  b.model.prefill(n);  // warms up
  for (int i = 0; i < b.options.repeat; ++i) seconds.push_back(b.model.prefill(n));
  const double output = 2.0 * b.file.config.width * b.file.config.n_vocab;  // of the last token only
  const double least = least_seconds(b, n * b.model.flops_per_row(n / 2) + output, b.n_ranks * b.model.weight_bytes());
  return row_of({{"what", "prefill"}, {"n", n}}, fmt::format("prefill of {}", n), n, seconds, least);
}

Row decode_row(const Bench& b, int batch, int context) {
  std::vector<double> seconds, host_seconds;
  b.model.decode(batch, context, 1);
  for (int i = 0; i < b.options.repeat; ++i) {
    const ModelBench::DecodeStep step = b.model.decode(batch, context, b.options.steps);
    seconds.push_back(step.seconds);
    if (step.host_seconds) host_seconds.push_back(*step.host_seconds);
  }
  const double output = 2.0 * b.file.config.width * b.file.config.n_vocab;
  const double least = least_seconds(b, batch * (b.model.flops_per_row(context) + output),
                                     b.n_ranks * (b.model.weight_bytes() + batch * b.model.kv_bytes(context)));
  Row row = row_of({{"what", "decode"}, {"batch", batch}, {"context", context}},
                   fmt::format("decode of {} at context {}", batch, context), batch, seconds, least);
  if (!host_seconds.empty()) add_host_work(row, median(host_seconds), median(seconds));
  return row;
}

void print(const BenchOptions& options, const std::vector<std::string>& headings, const std::vector<Row>& rows) {
  if (options.json) {
    for (const Row& row : rows) std::cout << row.json.dump() << "\n";
    return;
  }
  Table table(headings);
  for (const Row& row : rows) table.row(row.cells);
  table.print(std::cout, colours_for(STDOUT_FILENO));
}

std::vector<Row> speed_rows(const Bench& b) {
  std::vector<Row> rows;
  for (const int n : b.options.prefill) rows.push_back(prefill_row(b, n));
  for (const int context : b.options.context) {
    for (const int batch : b.options.batch) rows.push_back(decode_row(b, batch, context));
  }
  return rows;
}

// The cost of the next token with and without the cache, along one greedy continuation, and whether both ways agree.
struct CacheCosts {
  std::vector<double> lengths, cached_ms, recomputed_ms;
  std::vector<int> cached, recomputed;  // the tokens
};

CacheCosts cache_costs(const Bench& b, int n_tokens) {
  CacheCosts costs;
  std::vector<int> tokens = {100, 107, 114, 121};
  int in_cache = 0;
  while (static_cast<int>(tokens.size()) < n_tokens) {
    const auto with = b.model.next_cached(tokens, in_cache);
    const auto without = b.model.next_recomputed(tokens);  // writes the same KV again
    in_cache = static_cast<int>(tokens.size());
    costs.lengths.push_back(static_cast<double>(tokens.size()));
    costs.cached_ms.push_back(with.seconds * 1e3);
    costs.recomputed_ms.push_back(without.seconds * 1e3);
    costs.cached.push_back(with.token);
    costs.recomputed.push_back(without.token);
    tokens.push_back(with.token);
  }
  return costs;
}

std::vector<Row> cache_rows(const CacheCosts& costs) {
  std::vector<Row> rows;
  for (size_t i = 1; i < costs.lengths.size(); i = std::max(i + 1, i * 2)) {
    const double on = costs.cached_ms[i], off = costs.recomputed_ms[i];
    rows.push_back(
        {{{"what", "next_token"}, {"length", costs.lengths[i]}, {"kv_cache_on_ms", on}, {"kv_cache_off_ms", off}},
         {fmt::format("{:.0f}", costs.lengths[i]), fmt::format("{:.2f}", on), fmt::format("{:.2f}", off),
          fmt::format("{:.1f}", off / on)}});
  }
  return rows;
}

void write_plot(const CacheCosts& costs, const std::string& path) {
  PlotSeries cached = {.name = "cache on"}, recomputed = {.name = "cache off: all recomputed"};
  for (size_t i = 0; i < costs.lengths.size(); ++i) {
    cached.points.push_back({costs.lengths[i], costs.cached_ms[i]});
    recomputed.points.push_back({costs.lengths[i], costs.recomputed_ms[i]});
  }
  std::ofstream file(path);
  file << svg_of({.title = "The next token, with and without the KV cache",
                  .subtitle = "one sequence, greedy",
                  .x = {.label = "tokens so far"},
                  .y = {.label = "time of the next token, ms"},
                  .series = {cached, recomputed}});
  if (!file.flush()) throw Error(str("cannot write ", path));
}

int bench_cache(const Bench& b, bool prints) {
  const CacheCosts costs = cache_costs(b, *std::max_element(b.options.prefill.begin(), b.options.prefill.end()));
  const bool same = costs.cached == costs.recomputed;
  if (!prints) return same ? kDone : kWorldNotAsNeeded;
  print(b.options, {"length", "cached ms", "recomputed ms", "ratio"}, cache_rows(costs));
  if (b.options.json) {
    std::cout << nlohmann::json{{"what", "tokens"}, {"ids", costs.recomputed}, {"same_with_cache", same}}.dump()
              << "\n";
  } else {
    std::cout << (same ? "the same tokens with and without the cache\n"
                       : "DIFFERENT tokens with and without the cache\n");
  }
  if (!b.options.plot.empty()) write_plot(costs, b.options.plot);
  return same ? kDone : kWorldNotAsNeeded;
}

int most(const std::vector<int>& values) {
  return values.empty() ? 1 : *std::max_element(values.begin(), values.end());
}

int run(const BenchOptions& options) {
  OwnGroup own;
  Communicator& host = own.communicator();
  const ModelFile file(options.config.model);
  const BenchShape shape = {.max_sequences = most(options.batch),
                            .max_tokens = std::max(most(options.prefill), most(options.context) + options.steps),
                            .max_rows = std::max(options.config.scheduling.max_batch_tokens, most(options.batch)),
                            .page_tokens = options.config.kv.page_tokens,
                            .dtype = options.config.kv.dtype};
  CardNeed need = card_need(file, {.max_rows = shape.max_rows, .max_logit_rows = shape.max_sequences},
                            options.config.cuda.weights, host.size(), host.rank());
  need.kv = ModelBench::kv_memory(file, shape, host);
  RankCompute compute(options.config, host, {.ranks = own.ranks_on_this_host(), .card_turn = own.local_rank()}, need);
  Communicator& group = compute.group();
  const int n_threads = compute.n_threads();
  ModelBench model(file, shape, compute.ops(), group);
  const Limits limits = limits_of(compute, own.ranks_on_this_host());
  const Bench bench = {.options = options, .file = file, .model = model, .limits = limits, .n_ranks = group.size()};
  const bool prints = group.rank() == 0;
  if (options.kv_cache == "off") return bench_cache(bench, prints);

  const std::vector<Row> rows = speed_rows(bench);
  if (!prints) return kDone;
  const nlohmann::json head = {{"what", "limits"},
                               {"ops", compute.text()},
                               {"ranks", group.size()},
                               {"threads", n_threads},
                               {limits.arithmetic + "_gflop_s", limits.flop_s / 1e9},
                               {"read_gb_s", limits.read_byte_s / 1e9},
                               {"weight_mb", bench.n_ranks * model.weight_bytes() / 1e6}};
  if (options.json) {
    std::cout << head.dump() << "\n";
  } else {
    std::cout << fmt::format(
        "{} on {} ranks × {} threads; limits in this run: {:.0f} GFLOP/s of {}, {:.1f} GB/s read\n\n", compute.text(),
        group.size(), n_threads, limits.flop_s / 1e9, limits.arithmetic, limits.read_byte_s / 1e9);
  }
  std::vector<std::string> headings = {"case", "tok/s", "median", "limit tok/s", "share"};
  if (compute.on_card()) headings.push_back("host a step");
  print(options, headings, rows);
  return kDone;
}

}  // namespace

void add_bench_model(CLI::App& bench, Chosen& chosen) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* command = bench.add_subcommand("model", "Tokens per second of prefill and decode");
  command->footer(
      "Examples:\n"
      "  ferry bench model --model build/models/smollm2-135m-instruct-q4_1.gguf --threads 1\n"
      "  ferry bench model --model FILE.gguf --kv-cache off --prefill 256 --plot cache.svg");
  add_model_options(*command, options->config);
  command->add_option("--prefill", options->prefill, "Prompt lengths")->delimiter(',')->capture_default_str();
  command->add_option("--batch", options->batch, "Sequences in a decode step")->delimiter(',')->capture_default_str();
  command->add_option("--context", options->context, "Tokens that each has")->delimiter(',')->capture_default_str();
  command->add_option("--steps", options->steps, "Decode steps in a repeat")->capture_default_str();
  command->add_option("--repeat", options->repeat, "Repeats; the best is shown, and the median")->capture_default_str();
  command->add_option("--kv-cache", options->kv_cache, "off: recompute the whole sequence for every token, and compare")
      ->check(CLI::IsMember({"on", "off"}));
  command->add_option("--plot", options->plot, "With --kv-cache off: write both costs against length")
      ->type_name("FILE.svg");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
