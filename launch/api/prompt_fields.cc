#include "launch/api/prompt_fields.h"

#include <algorithm>
#include <array>

#include "core/base/quoted.h"

namespace ferry {
namespace {

using nlohmann::json;

constexpr std::array<std::string_view, 4> kRoles = {"system", "developer", "user", "assistant"};

Problem in_item(size_t index, const Problem& problem) {
  return problem.empty() ? problem : fmt::format("item {}: {}", index, problem);
}

Problem set_role(const json& value, std::string& out) {
  if (!value.is_string()) return "role: " + expected("text", value);
  out = value.get<std::string>();
  if (std::ranges::find(kRoles, out) == kRoles.end()) {
    return fmt::format("role: {} is none of system, developer, user and assistant", ferry::quoted(out));
  }
  if (out == "developer") out = "system";
  return {};
}

Problem append_part(const json& part, std::string& out) {
  if (!part.is_object()) return expected("an object with type and text", part);
  const auto type = part.find("type"), text = part.find("text");
  if (type == part.end() || !type->is_string()) return "type: expected text";
  if (*type != "text")
    return fmt::format("type: {} is not supported, only 'text'", ferry::quoted(type->get<std::string>()));
  if (text == part.end() || !text->is_string()) return "text: expected text";
  if (part.size() > 2) return "a part has type and text, and nothing else";
  if (!out.empty()) out += '\n';
  out += text->get_ref<const std::string&>();
  return {};
}

Problem set_content(const json& value, std::string& out) {
  if (value.is_string()) {
    out = value.get<std::string>();
    return {};
  }
  if (!value.is_array() || value.empty()) return "content: " + expected("text or a list of parts", value);
  for (size_t i = 0; i < value.size(); ++i) {
    const Problem problem = in_item(i, append_part(value[i], out));
    if (!problem.empty()) return "content: " + problem;
  }
  return {};
}

// Clients hand back an assistant's message as they got it: with fields that say nothing, such as "tool_calls": null.
bool says_nothing(const json& value) { return value.is_null() || (value.is_array() && value.empty()); }

Problem set_message(const json& value, Message& out) {
  if (!value.is_object()) return expected("an object with role and content", value);
  if (!value.contains("role")) return "role is missing";
  if (!value.contains("content")) return "content is missing";
  for (const auto& [key, field] : value.items()) {
    Problem problem;
    if (key == "role") {
      problem = set_role(field, out.role);
    } else if (key == "content") {
      problem = set_content(field, out.content);
    } else if (!says_nothing(field)) {
      problem = fmt::format("{} is not supported", ferry::quoted(key));
    }
    if (!problem.empty()) return problem;
  }
  return {};
}

}  // namespace

Problem set_conversation(const json& value, std::vector<Message>& out) {
  if (!value.is_array() || value.empty()) return expected("a list of messages", value);
  for (size_t i = 0; i < value.size(); ++i) {
    const Problem problem = set_message(value[i], out.emplace_back());
    if (!problem.empty()) return fmt::format("message {}: {}", i, problem);
  }
  return {};
}

Problem set_prompts(const json& value, std::vector<Prompt>& out) {
  const auto one = [&out](const json& prompt) -> Problem {
    if (prompt.is_string()) {
      out.emplace_back(prompt.get<std::string>());
      return {};
    }
    return set_ids(prompt, std::get<std::vector<int>>(out.emplace_back(std::vector<int>())));
  };
  const bool several = value.is_array() && !value.empty() && (value[0].is_string() || value[0].is_array());
  if (!several && !value.is_string() && !value.is_array())
    return expected("text, token ids, or a list of either", value);
  if (!several) return one(value);
  for (size_t i = 0; i < value.size(); ++i) {
    Problem problem = in_item(i, one(value[i]));
    if (!problem.empty()) return problem;
  }
  return {};
}

}  // namespace ferry
