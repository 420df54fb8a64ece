#include "launch/commands/up.h"

#include <fmt/format.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include <map>
#include <memory>

#include "core/base/error.h"
#include "launch/config/exposure.h"
#include "launch/io/log.h"
#include "launch/process/back_off.h"
#include "launch/process/groups.h"
#include "launch/process/own_program.h"
#include "launch/process/stop_signals.h"
#include "launch/runtime/compose.h"

namespace ferry {

namespace {

constexpr auto kTurn = std::chrono::milliseconds(20);
// The router lets its clients finish, tells the groups to end, and ends: what is left then is ended.
constexpr Duration kRouterPatience = std::chrono::milliseconds(4200);
constexpr Duration kGroupPatience = std::chrono::milliseconds(500);

void print_line(std::string_view line) {
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

std::vector<std::string> with_log_form(std::vector<std::string> words) {
  if (log_form() == LogForm::json) words.insert(words.end(), {"--log", "json"});
  return words;
}

// The router and the groups as processes: each is started, and started again when it ends.
class Deployment {
 public:
  Deployment(const std::string& yaml, const ClusterConfig& config) : yaml_(yaml), config_(config), groups_(print_line) {
    start_router();
    for (const GroupConfig& group : config_.groups) start(group);
  }

  void turn() {
    if (router_) {
      if (const auto exit = router_->poll()) router_ended(*exit);
    }
    while (const auto exit = groups_.poll()) group_ended(*exit);
    const Instant now = clock_.now();
    if (!router_ && now >= router_again_) start_router();
    for (const GroupConfig& group : config_.groups) {
      const auto again = again_.find(group.name);
      if (again == again_.end() || now < again->second) continue;
      again_.erase(again);
      start(group);
    }
  }

  void stop() {
    if (router_) router_->ask_to_end();
    const Instant end = clock_.now() + kRouterPatience;
    while (router_ && clock_.now() < end) {
      if (router_->poll(kTurn)) router_.reset();
      groups_.poll();
    }
    const Instant groups_end = clock_.now() + kGroupPatience;
    while (groups_.n_running() > 0 && clock_.now() < groups_end) groups_.poll();
    groups_.stop(std::chrono::milliseconds(200));
    if (router_) router_->terminate(Duration::zero());
  }

 private:
  void start_router() {
    router_ = std::make_unique<Child>(
        ProcessCommand{
            .words = with_log_form({own_program(), "router", yaml_}), .environment = {}, .signal_when_we_die = SIGTERM},
        [](std::string_view line) { print_line(relayed("router", line)); });
    router_back_off_.started(clock_.now());
  }

  // One that ends at once, and with a message that says why, will do so again: a port that is taken, say.
  void router_ended(const ProcessExit& exit) {
    router_.reset();
    router_again_ = router_back_off_.ended(clock_.now());
    spdlog::error("the router ended: {}; it starts again in {:.1f} s", exit.text(),
                  ms_between(clock_.now(), router_again_) / 1000);
  }

  void start(const GroupConfig& group) {
    groups_.start(group, with_log_form({own_program(), "worker", yaml_, "--group", group.name}));
    back_off_[group.name].started(clock_.now());
  }

  void group_ended(const GroupExit& exit) {
    const Instant again = back_off_[exit.group].ended(clock_.now());
    again_[exit.group] = again;
    spdlog::error("group {} ended: {}; it starts again in {:.1f} s", exit.group, exit.exit.text(),
                  ms_between(clock_.now(), again) / 1000);
  }

  const std::string yaml_;
  const ClusterConfig& config_;
  const SteadyClock clock_;
  GroupProcesses groups_;
  std::unique_ptr<Child> router_;
  BackOff router_back_off_;
  Instant router_again_{};
  std::map<std::string, BackOff> back_off_;
  std::map<std::string, Instant> again_;  // groups that ended
};

}  // namespace

int deploy(const std::string& yaml) {
  StopSignals signals;
  const ClusterConfig config = load_cluster(yaml);
  if (config.router.control.port == 0) throw Error("router.control: groups have to know the port; give one");
  for (const auto& open : {open_http(config), open_control(config)}) {
    if (open) throw Error(*open);
  }
  Deployment deployment(yaml, config);
  pollfd signal = {.fd = signals.fd(), .events = POLLIN, .revents = 0};
  while (!signals.received()) {
    deployment.turn();
    poll(&signal, 1, static_cast<int>(kTurn.count()));
  }
  spdlog::info("stopping");
  deployment.stop();
  return kDone;
}

void add_up(CLI::App& app, Chosen& chosen) {
  auto yaml = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("up", "Serve: the router and all groups, restarted when they end");
  command->footer(
      "Example:\n"
      "  ferry up launch/examples/quickstart.yaml        (Ctrl-C stops everything)\n"
      "  curl http://127.0.0.1:8000/v1/completions -d '{\"prompt\": \"A ferry is\"}'");
  command->add_option("cluster", *yaml, "cluster.yaml")->required();
  command->callback([yaml, &chosen] { chosen = [yaml] { return deploy(*yaml); }; });
}

}  // namespace ferry
