#pragma once
// What `ferry top` shows of a cluster, from what /debug/cluster answers.

#include <nlohmann/json.hpp>
#include <string>

#include "launch/io/screen.h"

namespace ferry {

// Lines, each with its end; as many as fit.
std::string top_view(const nlohmann::json& cluster, const Screen& screen);

}  // namespace ferry
