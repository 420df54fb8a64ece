#include "launch/runtime/cluster_front.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "core/base/error.h"
#include "launch/front/printer.h"

namespace ferry {

namespace {

// A list of prompts waits for its turn without anybody waiting for it: unless the YAML sets a deadline, it is this.
constexpr Duration kOfflineDeadline = std::chrono::minutes(10);

// A promise that is not kept yet is refused, not ignored.
const ClusterConfig& checked(const ClusterConfig& config) {
  if (config.link.min_gb_per_s > 0) {
    throw Error(str(config.source.place("link.min_gb_per_s"),
                    ": link.min_gb_per_s: paths are not measured at join yet; leave it at 0"));
  }
  return config;
}

FrontSettings front_settings(const ClusterConfig& config, const PromptOptions& prompts) {
  const bool stated = config.source.lines.contains("deadline_ms");
  return {.max_tokens = prompts.max_tokens,
          .budget = stated ? Duration(std::chrono::milliseconds(config.deadline_ms)) : kOfflineDeadline,
          .window = config.scheduling.max_sequences};
}

}  // namespace

ClusterFront::ClusterFront(const ClusterConfig& config, ControlStream& leaders, const PromptOptions& prompts)
    : config_(checked(config)),
      file_(config.model),
      text_(file_, config.chat_format),
      router_({.model_hash = file_.hash, .require_rdma = config.link.require == LinkConfig::Require::rdma}, clock_),
      service_(router_, leaders),
      prompts_(prompts),
      front_(
          text_, router_, [this] { return prompts_.next(); }, front_settings(config, prompts),
          printing_sinks(prompts.json ? OutputForm::json : OutputForm::text)) {}

void ClusterFront::turn(Duration patience) {
  front_.turn();
  service_.turn(patience);
  report_news();
  if (!some_route_can_come()) router_.fail_waiting(why_ended_);
}

void ClusterFront::report_news() {
  const auto paths = router_.paths();
  for (; n_paths_reported_ < paths.size(); ++n_paths_reported_) {
    const Router::Path& path = paths[n_paths_reported_];
    if (path.transport.empty()) {
      spdlog::info("group {} is ready", path.prefill);
    } else {
      spdlog::info("path {} → {} is ready over {}", path.prefill, path.decode, path.transport);
    }
  }
  for (; n_refusals_reported_ < router_.refusals().size(); ++n_refusals_reported_) {
    spdlog::error("{}", router_.refusals()[n_refusals_reported_]);
    why_ended_ = router_.refusals()[n_refusals_reported_];
  }
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
