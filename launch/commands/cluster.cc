#include "launch/commands/cluster.h"

#include <unistd.h>

#include <array>
#include <memory>
#include <stop_token>
#include <thread>

#include "core/base/error.h"
#include "launch/auth/api_key.h"
#include "launch/commands/prompt_options.h"
#include "launch/runtime/cluster_front.h"
#include "launch/runtime/worker.h"
#include "parallel/mpi.h"
#include "transport/control/grpc_control.h"

namespace ferry {

namespace {

struct ClusterOptions {
  std::string cluster;
  PromptOptions prompts;
};

constexpr int kRouter = -1;  // in place of a group

// Which group a rank of the job belongs to: the router first, if it has a rank of its own, then the groups of the YAML.
int group_of(int rank, const ClusterConfig& config, bool router_apart) {
  int begin = router_apart ? 1 : 0;
  if (rank < begin) return kRouter;
  for (int group = 0;; ++group) {
    begin += config.groups[group].tp;
    if (rank < begin) return group;
  }
}

// All ranks on this host compute, but for a router that has a rank of its own: it is the job's first.
int card_turn_of(const MpiSession& session, bool router_apart) {
  return session.local_rank() - (router_apart && session.first_local() == 0 ? 1 : 0);
}

// Until all prompts have their answers, or nobody is left to give them.
int answer(const ClusterOptions& options, const ClusterConfig& config, ControlStream& leaders,
           const std::stop_token& over = {}) {
  ClusterFront front(config, leaders, options.prompts);
  while (!front.done()) {
    if (over.stop_requested()) return kSomeFailed;
    front.turn(std::chrono::milliseconds(1));
  }
  front.settle();
  front.stop_groups();
  front.turn(std::chrono::milliseconds(1));
  return front.n_failed() > 0 ? kSomeFailed : kDone;
}

std::string own_host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

// The router's control port, as every rank can reach it.
std::string shared_address(Communicator& world, const MpiSession& session, const ControlServer* server) {
  std::string address;
  if (server)
    address = HostPort{session.local_ranks() == session.size() ? "127.0.0.1" : own_host_name(), server->port}.text();
  world.broadcast(address, [] {});
  return address;
}

std::string shared_token(Communicator& world, const MpiSession& session) {
  std::string token = session.rank() == 0 ? random_token() : std::string();
  world.broadcast(token, [] {});
  return token;
}

int run(const ClusterOptions& options) {
  const ClusterConfig config = load_cluster(options.cluster);
  MpiSession session;
  const int n = session.size(), n_ranks = config.n_ranks();
  if (n != n_ranks && n != n_ranks + 1) {
    throw Error(str(options.cluster, " has ", n_ranks, " ranks in its groups, but the job has ", n,
                    ". Start it with `mpirun -n ", n_ranks + 1, "` (one rank for the router) or `-n ", n_ranks,
                    "` (the first rank is the router too)"));
  }
  const auto world = session.split(0);
  const int group_index = group_of(session.rank(), config, n == n_ranks + 1);
  const auto group = session.split(group_index + 1);
  // The job is all there is: nobody outside it has to know the token, so it needs no file.
  const std::string token = shared_token(*world, session);
  std::optional<ControlServer> server;
  const bool routes = session.rank() == 0;
  if (routes) {
    const bool one_host = session.local_ranks() == n;
    server = make_grpc_control_server(one_host ? "127.0.0.1:0" : "0.0.0.0:0", {.join_token = token});
  }
  const std::string address = shared_address(*world, session, server ? &*server : nullptr);
  if (group_index == kRouter) return answer(options, config, *server->streams);

  int code = kDone;
  std::exception_ptr failure;
  std::jthread router;  // it is over when the worker fails, too
  if (routes) {
    router = std::jthread([&](const std::stop_token& over) {
      try {
        code = answer(options, config, *server->streams, over);
      } catch (...) {
        failure = std::current_exception();
        server->streams.reset();
      }
    });
  }
  run_worker({.config = config,
              .group = config.groups[group_index],
              .router = address,
              .control = {.join_token = token},
              .on_host = {.ranks = session.local_ranks(), .card_turn = card_turn_of(session, n == n_ranks + 1)}},
             *group);
  if (router.joinable()) router.join();
  if (failure) std::rethrow_exception(failure);
  return code;
}

}  // namespace

void add_cluster(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<ClusterOptions>();
  CLI::App* command = app.add_subcommand("cluster", "Run a whole cluster in one MPI job");
  command->footer(
      "Example: (for the YAML's three ranks and the router)\n"
      "  mpirun -n 4 ferry cluster launch/examples/quickstart.yaml --prompts prompts.jsonl --json");
  command->add_option("cluster", options->cluster, "cluster.yaml")->required();
  add_prompt_options(*command, options->prompts);
  add_metrics_option(*command, options->prompts);
  command->callback([options, &chosen] {
    if (options->prompts.file.empty()) options->prompts.file = "-";
    chosen = [options] { return run(*options); };
  });
}

}  // namespace ferry
