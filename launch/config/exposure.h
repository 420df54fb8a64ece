#pragma once
// What other hosts could reach without showing anything. Nobody listens like that unless the YAML says so.

#include <optional>
#include <string>
#include <string_view>

#include "launch/config/cluster_config.h"

namespace ferry {

// An address that this host alone can reach. A name is one only if it is "localhost": where others lead depends.
bool is_loopback(std::string_view host);

// What is wrong with it and what to write; nullopt: nothing is.
std::optional<std::string> open_http(const ClusterConfig& config);
std::optional<std::string> open_control(const ClusterConfig& config);

}  // namespace ferry
