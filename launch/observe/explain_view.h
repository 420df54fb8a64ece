#pragma once
// What `ferry explain` shows of a request, from what /debug/requests/{id} answers.

#include <nlohmann/json.hpp>
#include <string>

#include "launch/io/screen.h"

namespace ferry {

// Lines, each with its end.
std::string explain_view(const nlohmann::json& request, const Screen& screen);

}  // namespace ferry
