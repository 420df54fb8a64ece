#pragma once
// A router for a list of prompts: what batch, cluster and router have in common.

#include <string>
#include <vector>

#include "launch/config/cluster_config.h"
#include "launch/front/front.h"
#include "launch/front/prompt_source.h"
#include "launch/runtime/cluster_router.h"

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
  // With a metrics file: waits until everything in the groups is free again, and writes that it is, or what is not.
  void settle();
  void stop_groups() { cluster_.stop_groups(); }

 private:
  bool some_route_can_come() const;
  void report_metrics();

  const ClusterConfig& config_;
  ClusterRouter cluster_;
  PromptSource prompts_;
  const std::string metrics_file_;  // empty: none
  Instant next_metrics_;
  Front front_;
  std::vector<std::string> ended_;  // names of groups
  std::string why_ended_;
};

}  // namespace ferry
