#pragma once
// A router for a list of prompts: what batch, cluster and router have in common.

#include <memory>
#include <string>

#include "core/model/model_file.h"
#include "launch/config/cluster_config.h"
#include "launch/front/front.h"
#include "launch/front/prompt_source.h"
#include "launch/runtime/compose.h"
#include "launch/runtime/router_service.h"

namespace ferry {

class ClusterFront {
 public:
  // `leaders` outlives the front.
  ClusterFront(const ClusterConfig& config, ControlStream& leaders, const PromptOptions& prompts);

  void turn(Duration patience);
  bool done() const { return front_.done(); }
  int n_failed() const { return front_.n_failed(); }

  // The group's processes are gone and nobody starts them again.
  void group_ended(const std::string& name, const std::string& how);
  void stop_groups() { service_.stop_groups(); }

 private:
  bool some_route_can_come() const;
  void report_news();

  const ClusterConfig& config_;
  const SteadyClock clock_;
  const ModelFile file_;
  const TextModel text_;
  Router router_;
  RouterService service_;
  PromptSource prompts_;
  Front front_;
  std::vector<std::string> ended_;  // names of groups
  std::string why_ended_;
  size_t n_paths_reported_ = 0;
  size_t n_refusals_reported_ = 0;
};

}  // namespace ferry
