#include "launch/process/deployment.h"

#include <spdlog/spdlog.h>

#include <utility>
#include <vector>

#include "launch/io/log.h"
#include "launch/process/own_program.h"

namespace ferry {

namespace {

constexpr auto kTurn = std::chrono::milliseconds(20);
// The router lets its clients finish, tells the groups to end, and ends: what is left then is ended.
constexpr Duration kRouterPatience = std::chrono::milliseconds(4200);
constexpr Duration kGroupPatience = std::chrono::milliseconds(500);

Instant now() { return std::chrono::steady_clock::now(); }

std::vector<std::string> with_log_form(std::vector<std::string> words) {
  if (log_form() == LogForm::json) words.insert(words.end(), {"--log", "json"});
  return words;
}

}  // namespace

Deployment::Deployment(std::string yaml, const ClusterConfig& config, Sink sink)
    : yaml_(std::move(yaml)), config_(config), sink_(std::move(sink)), group_processes_(sink_) {
  start_router();
  for (const GroupConfig& group : config_.groups) start(group);
}

void Deployment::turn() {
  if (router_process_) {
    if (const auto exit = router_process_->poll()) {
      router_process_.reset();
      ended(router_, "the router", *exit);
    }
  }
  while (const auto exit = group_processes_.poll()) ended(groups_.at(exit->group), "group " + exit->group, exit->exit);
  if (router_.is_due(now())) start_router();
  for (const GroupConfig& group : config_.groups) {
    if (groups_.at(group.name).is_due(now())) start(group);
  }
}

void Deployment::stop() {
  if (router_process_) router_process_->ask_to_end();
  const Instant end = now() + kRouterPatience;
  while (router_process_ && now() < end) {
    if (router_process_->poll(kTurn)) router_process_.reset();
    group_processes_.poll();
  }
  const Instant groups_end = now() + kGroupPatience;
  while (group_processes_.n_running() > 0 && now() < groups_end) group_processes_.poll();
  group_processes_.stop(std::chrono::milliseconds(200));
  if (router_process_) router_process_->terminate(Duration::zero());
}

void Deployment::start_router() {
  router_process_ = std::make_unique<Child>(
      ProcessCommand{
          .words = with_log_form({own_program(), "router", yaml_}), .environment = {}, .signal_when_we_die = SIGTERM},
      [this](std::string_view line) { sink_(relayed("router", line)); });
  router_.started(now());
}

void Deployment::start(const GroupConfig& group) {
  group_processes_.start(group, with_log_form({own_program(), "worker", yaml_, "--group", group.name}));
  groups_[group.name].started(now());
}

void Deployment::ended(Supervised& which, const std::string& name, const ProcessExit& exit) {
  which.ended(now(), exit);
  spdlog::error("{} ended: {}; it starts again in {:.1f} s", name, exit.text(),
                ms_between(which.part.since, which.part.again) / 1000);
}

void Deployment::Supervised::started(Instant at) {
  part.runs = true;
  part.since = at;
  ++part.n_starts;
  back_off.started(at);
}

void Deployment::Supervised::ended(Instant at, const ProcessExit& exit) {
  part.runs = false;
  part.since = at;
  part.again = back_off.ended(at);
  part.last_end = exit.text();
}

}  // namespace ferry
