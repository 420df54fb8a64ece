#pragma once
// What a router knows, as Prometheus text.

#include <string>
#include <string_view>

#include "core/router/router.h"

namespace ferry {

std::string metrics_text(const Router& router);
std::string_view role_name(wire::Role role);

// Replaces the file in one go, so that a reader finds all of it. Error when it cannot.
void write_metrics(const std::string& file, const Router& router);

}  // namespace ferry
