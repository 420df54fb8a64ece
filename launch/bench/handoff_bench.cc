#include "launch/bench/handoff_bench.h"

#include <filesystem>

#include "core/base/error.h"
#include "launch/runtime/compose.h"
#include "launch/runtime/control_port.h"

namespace ferry {

namespace {

constexpr Duration kStopPatience = std::chrono::seconds(2);
constexpr Duration kBudget = std::chrono::minutes(10);

Request made_up_request(RequestId id, int n_tokens, int n_vocab) {
  Request request = {.id = id, .max_tokens = 1, .ignore_eos = true};
  for (int i = 0; i < n_tokens; ++i) request.prompt.push_back(static_cast<int>((100 + i * 7 + id * 31) % n_vocab));
  return request;
}

}  // namespace

BenchCluster::BenchCluster(const std::string& yaml, const Overrides& overrides, const ModelFile& file,
                           const std::string& only)
    : config_(load_cluster(yaml, overrides)),
      n_vocab_(file.config.n_vocab),
      clock_(std::make_unique<SteadyClock>()),
      server_(listen_for_leaders(config_, 0)),
      router_({.model_hash = file.hash, .epoch = new_epoch(), .colocated_retry = false}, *clock_),
      service_(router_, *server_.streams),
      processes_([](std::string_view) {}) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string address = HostPort{config_.router.control.host, server_.port}.text();
  for (const GroupConfig& group : config_.groups) {
    if (!only.empty() && group.name != only) continue;
    std::vector<std::string> words = {program, "worker", yaml, "--group", group.name, "--router", address};
    for (const std::string& one : overrides) words.insert(words.end(), {"--set", one});
    processes_.start(group, words);
  }
  while (router_.paths().empty()) turn();
}

BenchCluster::~BenchCluster() {
  service_.stop_groups();
  const Instant patience = clock_->now() + kStopPatience;
  while (processes_.n_running() > 0 && clock_->now() < patience) processes_.poll();
}

void BenchCluster::turn() {
  router_.tick();
  service_.turn(std::chrono::milliseconds(1));
  if (const auto exit = processes_.poll()) throw Error(exit->text());
  if (const auto refusals = router_.take_refusals(); !refusals.empty()) throw Error(refusals[0]);
}

Account BenchCluster::answer(int n_tokens) {
  router_.submit(made_up_request(next_id_++, n_tokens, n_vocab_), kBudget);
  for (;;) {
    turn();
    for (const RequestEvent& event : router_.take_events()) {
      if (!event.error.empty()) throw Error(event.error);
      if (event.last()) return event.account;
    }
  }
}

}  // namespace ferry
