#pragma once
// What a group says of itself, for tests that need no model.

#include <string>

#include "core/wire/messages.h"

namespace ferry {

inline wire::GroupInfo made_up_group(const std::string& name, wire::Role role) {
  return {.key = {name, 1},
          .role = role,
          .model_hash = 5,
          .max_context = 100,
          .max_sequences = 2,
          .layouts = {KvLayout({.layers = {0, 2}, .heads = {0, 1}}, 4, 8, KvDtype::f32, 8)}};
}

}  // namespace ferry
