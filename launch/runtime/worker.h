#pragma once
// One rank of a group of a cluster, from start to Stop.

#include <string>

#include "core/model/model_file.h"
#include "core/seam/communicator.h"
#include "launch/config/cluster_config.h"
#include "launch/runtime/rank_compute.h"
#include "transport/control/control_security.h"

namespace ferry {

struct WorkerPlace {
  const ClusterConfig& config;
  const GroupConfig& group;
  std::string router;       // "host:port" of the control port
  ControlSecurity control;  // as the router has it
  HostPlace on_host;        // among the ranks of all groups
};

// Collective over the group. Error when the world is not as needed or the router refuses the group.
void run_worker(const WorkerPlace& place, Communicator& host);

}  // namespace ferry
