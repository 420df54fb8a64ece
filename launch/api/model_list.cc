#include "launch/api/model_list.h"

#include <nlohmann/json.hpp>

namespace ferry {

namespace {

nlohmann::ordered_json entry_of(const ApiRules& rules, int64_t started) {
  return {{"id", rules.model},
          {"object", "model"},
          {"created", started},
          {"owned_by", "ferry"},
          {"max_model_len", rules.max_context}};
}

}  // namespace

std::string model_list(const ApiRules& rules, int64_t started) {
  const nlohmann::ordered_json list = {{"object", "list"}, {"data", {entry_of(rules, started)}}};
  return list.dump();
}

std::variant<std::string, ApiError> model_entry(std::string_view id, const ApiRules& rules, int64_t started) {
  if (id != rules.model) return model_not_found(id);
  return entry_of(rules, started).dump();
}

}  // namespace ferry
