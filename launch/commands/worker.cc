#include "launch/commands/worker.h"

#include <memory>

#include "core/base/error.h"
#include "launch/process/die_with_parent.h"
#include "launch/runtime/compose.h"
#include "launch/runtime/control_port.h"
#include "launch/runtime/worker.h"

namespace ferry {

namespace {

struct WorkerOptions {
  std::string cluster;
  std::string group;
  std::string router;  // instead of the YAML's
  Overrides overrides;
};

int run(const WorkerOptions& options) {
  die_with_parent();
  const ClusterConfig config = load_cluster(options.cluster, options.overrides);
  const GroupConfig* group = config.group(options.group);
  if (!group) throw Error(str(options.cluster, ": no group is named ", options.group));
  OwnGroup own;
  run_worker({.config = config,
              .group = *group,
              .router = options.router.empty() ? config.router.control.text() : options.router,
              .control = control_security(config.router),
              .on_host = {.ranks = ranks_on_host_of(config, *group),
                          .card_turn = card_turn(config, *group, own.local_rank())}},
             own.communicator());
  return kDone;
}

}  // namespace

void add_worker(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<WorkerOptions>();
  CLI::App* command = app.add_subcommand("worker", "Be one rank of a group of a cluster");
  command->footer(
      "Example: (`ferry router cluster.yaml` is running)\n  mpirun -n 2 ferry worker cluster.yaml --group prefill-0");
  command->add_option("cluster", options->cluster, "cluster.yaml")->required();
  command->add_option("--group", options->group, "Its name in the YAML")->required();
  command->add_option("--router", options->router, "host:port of the router's control port; default: the YAML's");
  command->add_option("--set", options->overrides, "KEY=VALUE that wins over the YAML's: link.overlap=after_prefill");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
