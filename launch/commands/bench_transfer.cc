#include "launch/commands/bench_transfer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/check.h"
#include "core/base/error.h"
#include "launch/bench/transfer_bench.h"
#include "launch/bench/transfer_peer.h"
#include "launch/bench/ucx_perftest.h"
#include "launch/commands/enum_option.h"
#include "launch/io/progress.h"
#include "launch/io/svg_plot.h"
#include "launch/io/table.h"
#include "launch/process/own_program.h"
#include "launch/runtime/compose.h"
#include "transport/ucx/network_devices.h"

namespace ferry {

namespace {

using Transport = LinkConfig::Transport;

struct TransferOptions {
  std::string transport = "all";
  std::vector<size_t> pieces = {4096, 8192, 16384, 65536, 262144, 1048576, 4194304};
  std::string only = "all";
  size_t total_mib = 64;
  int repeat = 5;
  std::string plot;
  bool json = false;
};

struct PeerOptions {
  Transport transport = Transport::automatic;
  size_t bytes = 0;
  std::string address;
};

struct Kind {
  std::string name;
  Transport transport;
  std::string ucx_name;  // in UCX_TLS
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> all{
      {"shm", Transport::shm, "shm"}, {"tcp", Transport::tcp, "tcp"}, {"rdma", Transport::rdma, "rc"}};
  return all;
}

// Rates of one case, in bytes a second, by repeat: the same place in each list is the same moment.
struct Measured {
  std::string transport;
  TransferCase what;
  std::vector<double> put, copy;
  std::vector<double> repeated, perftest;  // of one piece; empty: not measured
  double latency_us = 0;
  bool correct = false;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double median_ratio(const std::vector<double>& ours, const std::vector<double>& theirs) {
  std::vector<double> ratios;
  for (size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / theirs[i]);
  return median(ratios);
}

double gb(double bytes) { return bytes / 1e9; }

// Enough for a steady rate, few enough for a slow transport.
int n_repeated(size_t piece_bytes, size_t total_bytes) {
  check(piece_bytes > 0, "a piece has bytes");
  return static_cast<int>(std::clamp<size_t>(2 * total_bytes / piece_bytes, 32, 20000));
}

std::optional<double> perftest_beside(const TransferBench& bench, const UcxPerftest& perftest, size_t piece, int n) {
  const TransferBench::Rest rest(bench);
  return perftest.bytes_per_second(piece, n);
}

// Everything that is compared is measured in turn, so that what else happens on the machine happens to all.
Measured measure(TransferBench& bench, const TransferCase& what, const UcxPerftest* perftest, int repeat) {
  const bool one_size = what.name == "scattered";
  const auto bytes = static_cast<double>(what.bytes());
  const size_t piece = what.piece_bytes();
  const int n = n_repeated(piece, bench.memory_bytes());
  Measured m{.transport = bench.carrier(), .what = what};
  bench.copy_seconds(what);  // warms up
  bench.put_seconds(what);
  for (int i = 0; i < repeat; ++i) {
    m.copy.push_back(bytes / bench.copy_seconds(what));
    m.put.push_back(bytes / bench.put_seconds(what));
  }
  m.correct = bench.arrived();
  if (!one_size) return m;
  for (int i = 0; i < repeat && perftest; ++i) {
    const auto theirs = perftest_beside(bench, *perftest, piece, n);
    if (!theirs) break;
    m.repeated.push_back(n * static_cast<double>(piece) / bench.repeated_put_seconds(piece, n));
    m.perftest.push_back(*theirs);
  }
  m.latency_us = bench.latency_us(piece);
  m.correct = bench.arrived() && m.correct;
  return m;
}

nlohmann::json json_of(const Measured& m) {
  const auto [slowest, fastest] = std::minmax_element(m.put.begin(), m.put.end());
  nlohmann::json json{{"transport", m.transport},
                      {"what", m.what.name},
                      {"piece_bytes", m.what.piece_bytes()},
                      {"pieces", m.what.n_pieces()},
                      {"gb_per_s", gb(median(m.put))},
                      {"gb_per_s_spread", {gb(*slowest), gb(*fastest)}},
                      {"memcpy_gb_per_s", gb(median(m.copy))},
                      {"of_memcpy", median_ratio(m.put, m.copy)},
                      {"correct", m.correct}};
  if (m.latency_us > 0) json["latency_us"] = m.latency_us;
  if (m.perftest.empty()) return json;
  json["repeated_gb_per_s"] = gb(median(m.repeated));
  json["ucx_perftest_gb_per_s"] = gb(median(m.perftest));
  json["of_ucx_perftest"] = median_ratio(m.repeated, m.perftest);
  return json;
}

std::string size_text(size_t bytes) {
  if (bytes % (1 << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
  if (bytes % (1 << 10) == 0) return fmt::format("{} KiB", bytes >> 10);
  return fmt::format("{} B", bytes);
}

std::vector<std::string> cells_of(const Measured& m) {
  const auto [slowest, fastest] = std::minmax_element(m.put.begin(), m.put.end());
  const bool has_ucx = !m.perftest.empty();
  const auto rate = [](double value) { return fmt::format("{:.2f}", value); };
  return {m.transport,
          m.what.name,
          size_text(m.what.piece_bytes()),
          rate(gb(median(m.put))),
          rate(gb(*slowest)) + "–" + rate(gb(*fastest)),
          rate(gb(median(m.copy))),
          rate(median_ratio(m.put, m.copy)),
          has_ucx ? rate(gb(median(m.repeated))) : "",
          has_ucx ? rate(gb(median(m.perftest))) : "",
          has_ucx ? rate(median_ratio(m.repeated, m.perftest)) : "",
          m.latency_us > 0 ? fmt::format("{:.1f}", m.latency_us) : "",
          m.correct ? "yes" : "NO"};
}

void print(const TransferOptions& options, const std::vector<Measured>& all) {
  if (options.json) {
    for (const Measured& m : all) std::cout << json_of(m).dump() << "\n";
    return;
  }
  Table table({"transport", "what", "piece", "GB/s", "spread", "memcpy", "ratio", "one place", "ucx_perftest", "ratio",
               "µs", "correct"});
  for (const Measured& m : all) table.row(cells_of(m));
  table.print(std::cout, colours_for(STDOUT_FILENO));
}

void write_plot(const std::vector<Measured>& all, const std::string& path) {
  std::vector<PlotSeries> series;
  const auto add = [&](const std::string& name, double x, double y, PlotSeries::Line line) {
    auto found = std::find_if(series.begin(), series.end(), [&](const PlotSeries& s) { return s.name == name; });
    if (found == series.end()) found = series.insert(series.end(), {.name = name, .points = {}, .line = line});
    found->points.push_back({x, y});
  };
  for (const Measured& m : all) {
    if (m.what.name != "scattered") continue;
    const auto piece = static_cast<double>(m.what.piece_bytes());
    add(m.transport, piece, gb(median(m.put)), PlotSeries::Line::solid);
    add("memcpy, beside " + m.transport, piece, gb(median(m.copy)), PlotSeries::Line::dashed);
  }
  std::ofstream file(path);
  file << svg_of({.title = "Scattered pieces into the memory of another process",
                  .subtitle = "median of repeats, memcpy of the same pieces in turn",
                  .x = {.label = "piece", .scale = PlotAxis::Scale::log2, .unit = PlotAxis::Unit::bytes},
                  .y = {.label = "GB/s"},
                  .series = series});
  if (!file.flush()) throw Error(str("cannot write ", path));
}

std::vector<TransferCase> cases_of(const TransferOptions& options) {
  const size_t total = options.total_mib << 20;
  std::vector<TransferCase> cases;
  for (const size_t piece : options.pieces) {
    if (piece == 0 || piece > total) throw Error(str("--pieces ", piece, ": at least 1, at most the total of ", total));
    if (options.only != "kv") cases.push_back(scattered_case(piece, total));
  }
  if (options.only == "pieces") return cases;
  for (TransferCase& kv : kv_cases(total)) cases.push_back(std::move(kv));
  return cases;
}

std::vector<Kind> chosen_kinds(const TransferOptions& options) {
  std::vector<Kind> chosen;
  for (const Kind& kind : kinds()) {
    if (options.transport != "all" && options.transport != kind.name) continue;
    if (options.transport == "all" && kind.name == "rdma" && rdma_devices().empty()) {
      std::cerr << "rdma: skipped, this machine has no RDMA device\n";
      continue;
    }
    chosen.push_back(kind);
  }
  return chosen;
}

std::vector<Measured> measure_all(const TransferOptions& options) {
  const std::vector<Kind> chosen = chosen_kinds(options);
  const std::vector<TransferCase> cases = cases_of(options);
  const bool has_perftest = UcxPerftest::is_installed();
  if (!has_perftest) std::cerr << "ucx_perftest: skipped, it is not installed (Debian: ucx-utils)\n";
  const size_t bytes = options.total_mib << 20;
  const SteadyClock clock;
  Progress progress("measuring", chosen.size() * cases.size(), clock, std::cerr, Progress::form_for(STDERR_FILENO));
  std::vector<Measured> all;
  for (const Kind& kind : chosen) {
    TransferBench bench(make_link(kind.transport, bytes),
                        {own_program(), "bench", "transfer-peer", "--transport", kind.name, "--bytes", str(bytes)});
    const UcxPerftest perftest(kind.ucx_name);
    for (const TransferCase& what : cases) {
      progress.update(all.size(), kind.name + ", " + what.name + ", " + size_text(what.piece_bytes()));
      all.push_back(measure(bench, what, has_perftest ? &perftest : nullptr, options.repeat));
    }
  }
  progress.update(all.size());
  return all;
}

int run(const TransferOptions& options) {
  const std::vector<Measured> all = measure_all(options);
  print(options, all);
  if (!options.plot.empty()) write_plot(all, options.plot);
  const bool correct = std::all_of(all.begin(), all.end(), [](const Measured& m) { return m.correct; });
  return correct ? kDone : kWorldNotAsNeeded;
}

int serve(const PeerOptions& options) {
  const auto link = make_link(options.transport, options.bytes);
  serve_transfer_bench(*link, bytes_of_hex(options.address));
  return kDone;
}

// The other process; nobody types this.
void add_transfer_peer(CLI::App& bench, Chosen& chosen) {
  auto options = std::make_shared<PeerOptions>();
  CLI::App* command = bench.add_subcommand("transfer-peer", "The process that `bench transfer` writes to");
  command->group("");
  add_enum_option(*command, "--transport", options->transport, "As the other side's");
  command->add_option("--bytes", options->bytes, "Of memory")->required();
  command->add_option("--address", options->address, "Of the other side, as hex")->required();
  command->callback([options, &chosen] { chosen = [options] { return serve(*options); }; });
}

}  // namespace

void add_bench_transfer(CLI::App& bench, Chosen& chosen) {
  auto options = std::make_shared<TransferOptions>();
  CLI::App* command =
      bench.add_subcommand("transfer", "GB/s of KV into another process, beside memcpy and ucx_perftest");
  command->footer(
      "Examples:\n"
      "  ferry bench transfer --transport shm\n"
      "  ferry bench transfer --pieces 8192,65536 --plot transfer.svg");
  command->add_option("--transport", options->transport, "Which to measure")
      ->check(CLI::IsMember({"shm", "tcp", "rdma", "all"}))
      ->capture_default_str();
  command->add_option("--pieces", options->pieces, "Bytes of a piece")->delimiter(',')->capture_default_str();
  command->add_option("--only", options->only, "pieces: of one size; kv: as handoffs between TP degrees have them")
      ->check(CLI::IsMember({"pieces", "kv", "all"}))
      ->capture_default_str();
  command->add_option("--total-mib", options->total_mib, "Memory on either side")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  command->add_option("--repeat", options->repeat, "Repeats; medians are shown")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->add_option("--plot", options->plot, "Write GB/s against the size of pieces")->type_name("FILE.svg");
  command->add_flag("--json", options->json, "One JSON object a line");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
  add_transfer_peer(bench, chosen);
}

}  // namespace ferry
