#include "launch/commands/router.h"

#include <spdlog/spdlog.h>

#include <memory>

#include "core/base/error.h"
#include "launch/commands/prompt_options.h"
#include "launch/process/stop_signals.h"
#include "launch/runtime/cluster_front.h"
#include "launch/runtime/control_port.h"
#include "launch/runtime/serve_http.h"

namespace ferry {

namespace {

struct RouterOptions {
  std::string cluster;
  PromptOptions prompts;
};

// Groups outlive the router: they dial again until the next one is there.
int run(const RouterOptions& options) {
  StopSignals signals;
  const ClusterConfig config = load_cluster(options.cluster);
  if (options.prompts.file.empty()) {
    serve_http(config, signals);
    return kDone;
  }
  ControlServer server = listen_for_leaders(config, config.router.control.port);
  spdlog::info("router: leaders dial in at {}", config.router.control.text());
  ClusterFront front(config, *server.streams, options.prompts);
  while (!front.done()) {
    if (signals.received()) throw Error("stopped by a signal");
    front.turn(std::chrono::milliseconds(1));
  }
  front.settle();
  return front.n_failed() > 0 ? kSomeFailed : kDone;
}

}  // namespace

void add_router(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<RouterOptions>();
  CLI::App* command = app.add_subcommand("router", "Be the router of a cluster: HTTP, or a list of prompts");
  command->footer(
      "Example: (workers are started by hand or by a batch system)\n"
      "  ferry router cluster.yaml --prompts prompts.jsonl --json");
  command->add_option("cluster", options->cluster, "cluster.yaml")->required();
  add_prompt_options(*command, options->prompts);
  add_metrics_option(*command, options->prompts);
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
