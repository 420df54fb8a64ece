#include "launch/commands/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>
#include <memory>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/model/gguf_text.h"
#include "core/text/tokenizer.h"
#include "launch/config/byte_size.h"
#include "launch/doctor/cluster.h"
#include "launch/doctor/outline.h"
#include "launch/doctor/report.h"
#include "parallel/mpi.h"
#include "parallel/solo.h"

namespace ferry {
namespace {

using Level = Finding::Level;

struct Options {
  std::string yaml;
  bool json = false;
  bool values = false;
};

void append(std::vector<Finding>& to, std::vector<Finding> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

struct Examined {
  HostReport report;
  ClusterOutline outline;
};

std::string facts_of(const ModelFile& model, const Tokenizer& tokenizer, size_t bytes) {
  const ModelConfig& c = model.config;
  return fmt::format("{}, {}, {} of {}, {} layers, {} heads, {} KV heads of {}, context {}, vocabulary {}", c.name,
                     c.family, byte_size_text(bytes), format_of(model.tensors.layers[0].down.type).name, c.n_layers,
                     c.n_heads, c.n_kv_heads, c.head_dim, c.max_context, tokenizer.n_vocab());
}

// Opened as a group would open it: a file that passes here loads.
void examine_model(const ClusterConfig& config, const MachineFacts& machine, Examined& examined) {
  std::vector<Finding>& findings = examined.report.findings;
  try {
    const ModelFile model(config.model.string());
    const Tokenizer tokenizer(tokenizer_data_of(model.gguf));
    const size_t bytes = std::filesystem::file_size(config.model);
    findings.push_back({.what = "model", .found = facts_of(model, tokenizer, bytes)});
    append(findings, model_findings(config, model));
    append(findings, fit_findings(config, bytes, machine));
    examined.outline = outline_of(config, model);
  } catch (const Error& e) {
    findings.push_back({.level = Level::problem, .what = "model", .found = e.what()});
  }
}

// nullopt: the file cannot be used, which is a finding.
std::optional<ClusterConfig> examine_yaml(const std::string& yaml, std::vector<Finding>& findings) {
  try {
    ClusterConfig config = load_cluster(yaml);
    findings.push_back(
        {.what = "cluster", .found = str(yaml, ": ", config.groups.size(), " groups, ", config.n_ranks(), " ranks")});
    return config;
  } catch (const Error& e) {
    findings.push_back({.level = Level::problem, .what = "cluster", .found = e.what()});
    return std::nullopt;
  }
}

Examined examine(const Options& options, bool is_router_host) {
  std::vector<Finding> of_yaml;
  std::optional<ClusterConfig> config;
  if (!options.yaml.empty()) config = examine_yaml(options.yaml, of_yaml);
  const MachineFacts machine = read_machine(config ? config->link.staging : LinkConfig{}.staging);
  Examined examined = {.report = {.host = machine.host, .findings = findings_of(machine)}, .outline = {}};
  std::vector<Finding>& findings = examined.report.findings;
  append(findings, std::move(of_yaml));
  if (!config) return examined;
  examine_model(*config, machine, examined);
  if (!is_router_host) return examined;
  append(findings, host_findings(*config, machine.host));
  append(findings, reach_findings(*config, machine.host));
  append(findings, port_findings(*config));
  append(findings, access_findings(*config));
  return examined;
}

// Rank 0 gets every host's report, one a host; the others none.
std::vector<HostReport> gathered(const HostReport& mine, Communicator& ranks) {
  std::vector<HostReport> reports;
  for (const std::string& bytes : ranks.gather_bytes(pack(mine))) {
    const std::optional<HostReport> report = unpack<HostReport>(bytes);
    check(report.has_value(), "ranks of one program understand each other");
    const bool is_known = std::ranges::any_of(reports, [&](const HostReport& r) { return r.host == report->host; });
    if (!is_known) reports.push_back(*report);
  }
  return reports;
}

int print(const std::vector<HostReport>& reports, const ClusterOutline& outline, const Options& options) {
  if (options.json) {
    std::cout << json_of(reports, outline) << '\n';
  } else {
    print_outline(outline, std::cout, colours_for(STDOUT_FILENO));
    print_report(reports, std::cout, colours_for(STDOUT_FILENO));
  }
  return n_problems(reports) == 0 ? kDone : kWorldNotAsNeeded;
}

int run(const Options& options) {
  if (options.values) {
    print_effective(load_cluster(options.yaml), std::cout);
    return kDone;
  }
  if (!launched_by_mpirun()) {
    const Examined examined = examine(options, true);
    return print({examined.report}, examined.outline, options);
  }
  MpiSession session;
  const std::unique_ptr<Communicator> ranks = session.split(0);
  const Examined examined = examine(options, session.rank() == 0);
  const std::vector<HostReport> reports = gathered(examined.report, *ranks);
  return session.rank() == 0 ? print(reports, examined.outline, options) : kDone;
}

}  // namespace

void add_doctor(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("doctor", "look at this machine, or at every host under mpirun");
  auto options = std::make_shared<Options>();
  CLI::Option* yaml = command->add_option("CLUSTER.yaml", options->yaml, "check this too; nothing is started");
  yaml->type_name("");
  command->add_flag("--json", options->json, "one JSON object instead of text");
  command->add_flag("--values", options->values, "only the YAML's values and where each comes from")->needs(yaml);
  command->footer(
      "Examples:\n"
      "  ferry doctor launch/examples/quickstart.yaml\n"
      "  mpirun -H node1,node2 ferry doctor cluster.yaml");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
