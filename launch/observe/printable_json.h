#pragma once
// What a router answers, for people who look at it in a terminal.

#include <nlohmann/json.hpp>
#include <string>

#include "launch/io/printable.h"

namespace ferry {

inline std::string text_at(const nlohmann::json& object, const char* key) {
  return printable(object.at(key).get<std::string>());
}

}  // namespace ferry
