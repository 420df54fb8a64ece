#include "launch/commands/bench_allreduce.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "launch/bench/allreduce_bench.h"
#include "launch/commands/enum_option.h"
#include "launch/commands/model_options.h"
#include "launch/config/byte_size.h"
#include "launch/io/table.h"
#include "launch/io/terminal.h"
#include "launch/runtime/compose.h"
#include "launch/runtime/rank_compute.h"

namespace ferry {

namespace {

struct AllReduceOptions {
  ClusterConfig config;
  std::vector<size_t> sizes = {1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20};
  int repeat = 7;
  bool json = false;
};

struct Measured {
  std::string way;
  size_t n_bytes = 0;
  AllReduceTimes times;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// MPI's own sums in an order of its choice: it is here to be held against.
std::vector<AllReduceWay> ways_of(RankCompute& compute, OwnGroup& own) {
  std::vector<AllReduceWay> ways;
  if (CardCommunicator* cards = compute.cards()) {
    for (const ReduceMethod method : cards->methods()) {
      const auto sum = [cards, method](std::span<float> values) { cards->all_reduce_sum_by(method, values); };
      ways.push_back({.name = std::string(name_of(method)), .sum = sum});
    }
    ways.push_back({.name = "as chosen", .sum = [cards](std::span<float> values) { cards->all_reduce_sum(values); }});
    return ways;
  }
  Communicator& group = compute.group();
  ways.push_back({.name = "Ferry", .sum = [&group](std::span<float> values) { group.all_reduce_sum(values); }});
  ways.push_back({.name = "MPI_Allreduce", .sum = [&own](std::span<float> values) { own.mpi_all_reduce(values); }});
  return ways;
}

nlohmann::ordered_json json_of(const Measured& m, int n_ranks) {
  const double seconds = median(m.times.seconds);
  return {{"way", m.way},
          {"bytes", m.n_bytes},
          {"ranks", n_ranks},
          {"us", seconds * 1e6},
          {"fastest_us", *std::ranges::min_element(m.times.seconds) * 1e6},
          {"slowest_us", *std::ranges::max_element(m.times.seconds) * 1e6},
          {"gb_per_s", AllReduceBench::bytes_on_the_way(m.n_bytes, n_ranks) / seconds / 1e9},
          {"correct", m.times.correct}};
}

void print(const AllReduceOptions& options, const std::vector<Measured>& all, const std::string& what, int n_ranks) {
  if (options.json) {
    std::cout << nlohmann::ordered_json{{"what", "ranks"}, {"ranks", n_ranks}, {"ops", what}}.dump() << "\n";
    for (const Measured& m : all) std::cout << json_of(m, n_ranks).dump() << "\n";
    return;
  }
  std::cout << fmt::format("{} ranks, {}\n\n", n_ranks, what);
  Table table({"size", "way", "µs", "spread", "GB/s", "correct"});
  for (const Measured& m : all) {
    const nlohmann::ordered_json row = json_of(m, n_ranks);
    const auto number = [&](const char* key) { return row[key].get<double>(); };
    table.row({byte_size_text(m.n_bytes), m.way, fmt::format("{:.1f}", number("us")),
               fmt::format("{:.1f}–{:.1f}", number("fastest_us"), number("slowest_us")),
               fmt::format("{:.2f}", number("gb_per_s")), m.times.correct ? "yes" : "NO"});
  }
  table.print(std::cout, colours_for(STDOUT_FILENO));
}

int run(const AllReduceOptions& options) {
  OwnGroup own;
  Communicator& host = own.communicator();
  if (host.size() == 1) throw Error("one rank has nobody to add up with: mpirun -n 2 ferry bench allreduce");
  const size_t most = *std::ranges::max_element(options.sizes);
  const CardNeed need = {.weights = 0, .kv = 0, .activations = most, .scratch = size_t{512} << 20};
  RankCompute compute(options.config, host, {.ranks = own.ranks_on_this_host(), .card_turn = own.local_rank()}, need);
  AllReduceBench bench(compute.group(), compute.ops().device());
  std::vector<Measured> all;
  for (const size_t n_bytes : options.sizes) {
    for (const AllReduceWay& way : ways_of(compute, own)) {
      const size_t n_values = std::max<size_t>(1, n_bytes / sizeof(float));
      all.push_back({.way = way.name, .n_bytes = n_bytes, .times = bench.measure(way, n_values, options.repeat)});
    }
  }
  if (host.rank() == 0) print(options, all, compute.text(), host.size());
  const bool correct = std::ranges::all_of(all, [](const Measured& m) { return m.times.correct; });
  return correct ? kDone : kWorldNotAsNeeded;
}

}  // namespace

void add_bench_allreduce(CLI::App& bench, Chosen& chosen) {
  auto options = std::make_shared<AllReduceOptions>();
  CLI::App* command = bench.add_subcommand("allreduce", "What adding up over the ranks of a group costs");
  command->footer(
      "Examples:\n"
      "  mpirun -n 2 ferry bench allreduce\n"
      "  mpirun -n 8 ferry bench allreduce --compute cuda --sizes 8192,65536 --json");
  add_enum_option(*command, "--compute", options->config.compute, "What computes, and so how ranks add up");
  add_overrides_option(*command, options->config);
  command->add_option("--sizes", options->sizes, "Bytes")->delimiter(',')->check(CLI::Range(4, 1 << 30));
  command->add_option("--repeat", options->repeat, "Repeats; medians are shown")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
