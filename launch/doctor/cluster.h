#pragma once
// A cluster's YAML held against its model and against one of its machines, before anything is started.

#include <string>
#include <vector>

#include "core/model/model_file.h"
#include "launch/config/cluster_config.h"
#include "launch/doctor/finding.h"
#include "launch/doctor/machine.h"

namespace ferry {

// Ranks of `group` that mpirun starts on the machine of this name, as far as hosts say how many.
int ranks_on(const GroupConfig& group, const std::string& host);

// How each group divides the model, and what its KV memory holds.
std::vector<Finding> model_findings(const ClusterConfig& config, const ModelFile& model);

// Whether this machine has what its ranks need.
std::vector<Finding> fit_findings(const ClusterConfig& config, size_t weight_bytes, const MachineFacts& machine);

// Whether the hosts of the groups are known here, looked up.
std::vector<Finding> host_findings(const ClusterConfig& config, const std::string& this_host);

// What could not reach each other: leaders and the router, groups on hosts of their own.
std::vector<Finding> reach_findings(const ClusterConfig& config, const std::string& this_host);

// Whether the router can listen where it should, tried out.
std::vector<Finding> port_findings(const ClusterConfig& config);

// Who could come in, and whether the files that say so can be used.
std::vector<Finding> access_findings(const ClusterConfig& config);

}  // namespace ferry
