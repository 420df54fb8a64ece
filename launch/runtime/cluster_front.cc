#include "launch/runtime/cluster_front.h"

#include <algorithm>

#include "launch/front/printer.h"
#include "launch/runtime/metrics.h"

namespace ferry {

namespace {

// A list of prompts waits for its turn without anybody waiting for it: unless the YAML sets a deadline, it is this.
constexpr Duration kOfflineDeadline = std::chrono::minutes(10);
constexpr Duration kMetricsInterval = std::chrono::milliseconds(500);
constexpr Duration kSettlePatience = std::chrono::seconds(3);
constexpr Duration kFreshStats = std::chrono::milliseconds(500);  // groups tell more often

FrontSettings front_settings(const ClusterConfig& config, const PromptOptions& prompts) {
  const bool stated = config.source.lines.contains("deadline_ms");
  return {.max_tokens = prompts.max_tokens,
          .budget = stated ? Duration(std::chrono::milliseconds(config.deadline_ms)) : kOfflineDeadline,
          .window = config.scheduling.max_sequences};
}

}  // namespace

ClusterFront::ClusterFront(const ClusterConfig& config, ControlStream& leaders, const PromptOptions& prompts)
    : config_(config),
      cluster_(config, leaders),
      prompts_(prompts),
      metrics_file_(prompts.metrics),
      front_(
          cluster_.text(), cluster_.router(), [this] { return prompts_.next(); }, front_settings(config, prompts),
          printing_sinks(prompts.json ? OutputForm::json : OutputForm::text)) {}

void ClusterFront::turn(Duration patience) {
  front_.turn();
  cluster_.turn(patience);
  cluster_.report_news();
  report_metrics();
  if (some_route_can_come()) return;
  Router& router = cluster_.router();
  router.tick();  // what was begun may go on without the group that ended
  router.fail_waiting(cluster_.last_refusal().empty() ? why_ended_ : cluster_.last_refusal());
}

void ClusterFront::report_metrics() {
  const Instant now = cluster_.clock().now();
  if (metrics_file_.empty() || now < next_metrics_) return;
  next_metrics_ = now + kMetricsInterval;
  write_metrics(metrics_file_, cluster_.router());
}

void ClusterFront::settle() {
  if (metrics_file_.empty()) return;
  const Clock& clock = cluster_.clock();
  const Router& router = cluster_.router();
  const Instant fresh = clock.now() + kFreshStats, patience = clock.now() + kSettlePatience;
  const auto settled = [&] {
    if (clock.now() < fresh) return false;  // what was told may be of before
    const auto groups = router.groups();
    return router.n_aborting() == 0 && std::all_of(groups.begin(), groups.end(), [](const auto& g) {
             return g.stats.idle() && g.stats.pages.free == g.stats.pages.total();
           });
  };
  while (!settled() && clock.now() < patience) turn(std::chrono::milliseconds(1));
  write_metrics(metrics_file_, router);
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
  const bool pair_refused = !cluster_.last_refusal().empty() && cluster_.router().paths().empty();
  return mixed || (prefill && decode && !pair_refused);
}

}  // namespace ferry
