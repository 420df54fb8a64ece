#pragma once
// Between the router and the leaders, as cluster.yaml secures it.

#include <functional>
#include <memory>
#include <string>

#include "launch/config/cluster_config.h"
#include "transport/control/grpc_control.h"

namespace ferry {

// Error when a file of it cannot be used. Certificates are read again when their files change.
ControlSecurity control_security(const RouterConfig& config);

// Of a router whose leaders dial in at `port` of router.control's host. Error when other hosts could dial in unasked.
ControlServer listen_for_leaders(const ClusterConfig& config, int port, std::function<void()> wake = {});

}  // namespace ferry
