#include "launch/runtime/cluster_front.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/base/error.h"
#include "launch/config/test_stop.h"
#include "launch/front/printer.h"
#include "launch/runtime/metrics.h"

namespace ferry {

namespace {

// A list of prompts waits for its turn without anybody waiting for it: unless the YAML sets a deadline, it is this.
constexpr Duration kOfflineDeadline = std::chrono::minutes(10);
constexpr Duration kMetricsInterval = std::chrono::milliseconds(500);
constexpr Duration kSettlePatience = std::chrono::seconds(3);
constexpr Duration kFreshStats = std::chrono::milliseconds(500);  // groups tell more often

RouterRules rules_of(const ClusterConfig& config, const ModelFile& file) {
  return {.model_hash = file.hash,
          .epoch = new_epoch(),
          .paths = {.require_rdma = config.link.require == LinkConfig::Require::rdma,
                    .min_gb_per_s = config.link.min_gb_per_s},
          .colocated_retry = config.router.colocated_retry == Switch::on,
          .most_queued = static_cast<size_t>(config.router.max_queued),
          .milestones = milestones_of("router")};
}

std::string text_of(const PairReport& path) {
  if (path.transport.empty()) return fmt::format("group {} is ready", path.prefill);
  return fmt::format("path {} → {} is ready over {}: {:.2f} GB/s, {:.1f} µs; back {:.2f} GB/s, {:.1f} µs", path.prefill,
                     path.decode, path.transport, path.there.gb_per_s, path.there.latency_us, path.back.gb_per_s,
                     path.back.latency_us);
}

FrontSettings front_settings(const ClusterConfig& config, const PromptOptions& prompts) {
  const bool stated = config.source.lines.contains("deadline_ms");
  return {.max_tokens = prompts.max_tokens,
          .budget = stated ? Duration(std::chrono::milliseconds(config.deadline_ms)) : kOfflineDeadline,
          .window = config.scheduling.max_sequences};
}

}  // namespace

ClusterFront::ClusterFront(const ClusterConfig& config, ControlStream& leaders, const PromptOptions& prompts)
    : config_(config),
      file_(config.model),
      text_(file_, config.chat_format),
      router_(rules_of(config, file_), clock_),
      service_(router_, leaders),
      prompts_(prompts),
      metrics_file_(prompts.metrics),
      front_(
          text_, router_, [this] { return prompts_.next(); }, front_settings(config, prompts),
          printing_sinks(prompts.json ? OutputForm::json : OutputForm::text)) {}

void ClusterFront::turn(Duration patience) {
  front_.turn();
  service_.turn(patience);
  report_news();
  report_metrics();
  if (some_route_can_come()) return;
  router_.tick();  // what was begun may go on without the group that ended
  router_.fail_waiting(why_ended_);
}

void ClusterFront::report_news() {
  std::set<std::string> ready;
  for (const PairReport& path : router_.paths()) {
    const std::string name = path.prefill + " → " + path.decode;
    ready.insert(name);
    if (!ready_.contains(name)) spdlog::info("{}", text_of(path));
  }
  for (const std::string& name : ready_) {
    if (!ready.contains(name)) spdlog::warn("path {} is lost", name);
  }
  ready_ = std::move(ready);
  const auto refusals = router_.refusals();
  for (; n_refusals_reported_ < refusals.size(); ++n_refusals_reported_) {
    why_ended_ = refusals[n_refusals_reported_];
    spdlog::error("{}", why_ended_);
  }
}

void ClusterFront::report_metrics() {
  if (metrics_file_.empty() || clock_.now() < next_metrics_) return;
  next_metrics_ = clock_.now() + kMetricsInterval;
  write_metrics(metrics_file_, router_);
}

void ClusterFront::settle() {
  if (metrics_file_.empty()) return;
  const Instant fresh = clock_.now() + kFreshStats, patience = clock_.now() + kSettlePatience;
  const auto settled = [this, fresh] {
    if (clock_.now() < fresh) return false;  // what was told may be of before
    const auto groups = router_.groups();
    return router_.n_aborting() == 0 && std::all_of(groups.begin(), groups.end(), [](const auto& g) {
             return g.stats.idle() && g.stats.pages.free == g.stats.pages.total();
           });
  };
  while (!settled() && clock_.now() < patience) turn(std::chrono::milliseconds(1));
  write_metrics(metrics_file_, router_);
}

void ClusterFront::group_ended(const std::string& name, const std::string& how) {
  ended_.push_back(name);
  if (why_ended_.empty()) why_ended_ = how;
}

bool ClusterFront::some_route_can_come() const {
  bool prefill = false, decode = false, mixed = false;
  for (const GroupConfig& group : config_.groups) {
    if (std::find(ended_.begin(), ended_.end(), group.name) != ended_.end()) continue;
    prefill |= group.prefills();
    decode |= group.decodes();
    mixed |= group.role == GroupConfig::Role::mixed;
  }
  const bool pair_refused = n_refusals_reported_ > 0 && router_.paths().empty();
  return mixed || (prefill && decode && !pair_refused);
}

}  // namespace ferry
