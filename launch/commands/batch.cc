#include "launch/commands/batch.h"

#include <unistd.h>

#include <memory>

#include "core/base/error.h"
#include "launch/commands/prompt_options.h"
#include "launch/process/groups.h"
#include "launch/process/own_program.h"
#include "launch/process/stop_signals.h"
#include "launch/runtime/cluster_front.h"
#include "launch/runtime/control_port.h"

namespace ferry {

namespace {

struct BatchOptions {
  std::string cluster;
  PromptOptions prompts;
};

void print_group_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

void start_groups(GroupProcesses& processes, const BatchOptions& options, const ClusterConfig& config, int port) {
  const std::string router = HostPort{config.router.control.host, port}.text();
  for (const GroupConfig& group : config.groups) {
    processes.start(group, {own_program(), "worker", options.cluster, "--group", group.name, "--router", router});
  }
}

// Groups that were told to stop end by themselves; what has not after a while is ended.
void leave(GroupProcesses& processes) {
  const SteadyClock clock;
  const Instant patience = clock.now() + std::chrono::seconds(2);
  while (processes.n_running() > 0 && clock.now() < patience) processes.poll();
  processes.stop(std::chrono::seconds(1));
}

// A group that ends before its time takes its requests with it; when no path is left, so do all that wait.
int serve(const BatchOptions& options, const ClusterConfig& config) {
  StopSignals signals;
  // Any free port: several batches can run beside each other, and beside a deployment.
  ControlServer server = listen_for_leaders(config, 0);
  ClusterFront front(config, *server.streams, options.prompts);
  GroupProcesses processes(print_group_line);
  start_groups(processes, options, config, server.port);
  std::optional<std::string> first_loss;
  while (!front.done()) {
    if (signals.received()) throw Error("stopped by a signal");
    front.turn(std::chrono::milliseconds(1));
    while (const auto exit = processes.poll()) {
      if (!first_loss) first_loss = exit->text();
      front.group_ended(exit->group, exit->text());
    }
  }
  front.settle();
  front.stop_groups();
  leave(processes);
  if (first_loss) std::fprintf(stderr, "ferry: %s\n", first_loss->c_str());
  return front.n_failed() > 0 || first_loss ? kSomeFailed : kDone;
}

}  // namespace

void add_batch(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<BatchOptions>();
  CLI::App* command = app.add_subcommand("batch", "Start a cluster's groups, run prompts, stop them");
  command->footer("Example:\n  ferry batch launch/examples/quickstart.yaml prompts.jsonl --json");
  command->add_option("cluster", options->cluster, "cluster.yaml")->required();
  command->add_option("prompts", options->prompts.file, "JSON lines, one prompt each; - reads stdin")->required();
  add_answer_options(*command, options->prompts);
  add_metrics_option(*command, options->prompts);
  command->callback(
      [options, &chosen] { chosen = [options] { return serve(*options, load_cluster(options->cluster)); }; });
}

}  // namespace ferry
