#pragma once
// What `ferry top` shows of a cluster, from what /debug/cluster answers.

#include <nlohmann/json.hpp>
#include <string>

#include "launch/io/terminal.h"

namespace ferry {

struct Screen {
  int columns = 80;
  int lines = 24;
  Colours colours = Colours::off;
};

// Lines, each with its end; as many as fit.
std::string top_view(const nlohmann::json& cluster, const Screen& screen);

}  // namespace ferry
