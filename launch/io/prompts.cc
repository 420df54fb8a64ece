#include "launch/io/prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "launch/config/nearest.h"
#include "launch/io/json_fields.h"
#include "launch/io/json_line.h"

namespace ferry {
namespace {

using nlohmann::json;
constexpr int kMaxLogprobs = 100;

Problem set_message(const json& value, Message& out) {
  if (!value.is_object()) return expected("an object with role and content", value);
  for (const auto& [key, field] : value.items()) {
    if (key != "role" && key != "content") return fmt::format("unknown field {}", ferry::quoted(key));
    if (!field.is_string()) return fmt::format("{}: {}", key, expected("text", field));
  }
  out = {.role = value.value("role", ""), .content = value.value("content", "")};
  if (out.role.empty()) return "role is missing";
  if (!value.contains("content")) return "content is missing";
  return {};
}

Problem set_messages(const json& value, PromptLine& out) {
  const bool filled = value.is_array() && !value.empty();
  if (!filled) return expected("a list of messages", value);
  auto& messages = out.prompt.emplace<std::vector<Message>>();
  for (const json& item : value) {
    const Problem problem = set_message(item, messages.emplace_back());
    if (!problem.empty()) return fmt::format("message {}: {}", messages.size() - 1, problem);
  }
  return {};
}

struct Field {
  std::string_view name;
  Problem (*set)(const json& value, PromptLine& out);
};

constexpr std::array<std::string_view, 3> kPromptFields = {"prompt", "messages", "prompt_ids"};

constexpr std::array kFields = {
    Field{"id", [](const json& v, PromptLine& p) { return set_text(v, p.id); }},
    Field{"prompt", [](const json& v, PromptLine& p) { return set_text(v, p.prompt.emplace<std::string>()); }},
    Field{"messages", [](const json& v, PromptLine& p) { return set_messages(v, p); }},
    Field{"prompt_ids", [](const json& v, PromptLine& p) { return set_ids(v, p.prompt.emplace<std::vector<int>>()); }},
    Field{"logprobs",
          [](const json& v, PromptLine& p) { return set_whole(v, 0, kMaxLogprobs, p.generation.logprobs); }},
};

Problem unknown_field(std::string_view name) {
  std::vector<std::string_view> names;
  names.reserve(std::size(kFields) + generation_fields().size());
  for (const Field& field : kFields) names.push_back(field.name);
  for (const GenerationField& field : generation_fields()) names.push_back(field.name);
  return fmt::format("unknown field {}; did you mean '{}'?", ferry::quoted(name), nearest(name, names));
}

Problem set(std::string_view name, const json& value, PromptLine& out) {
  const auto field = std::ranges::find(kFields, name, &Field::name);
  if (field != kFields.end()) return field->set(value, out);
  const auto common = std::ranges::find(generation_fields(), name, &GenerationField::name);
  return common->set(value, out.generation);
}

bool is_known(std::string_view name) {
  return std::ranges::find(kFields, name, &Field::name) != kFields.end() ||
         std::ranges::find(generation_fields(), name, &GenerationField::name) != generation_fields().end();
}

Problem fill(const json& object, PromptLine& out) {
  for (const auto& [key, value] : object.items()) {
    if (!is_known(key)) return unknown_field(key);
    const Problem problem = set(key, value, out);
    if (!problem.empty()) return fmt::format("{}: {}", key, problem);
  }
  const auto n_prompts = std::ranges::count_if(kPromptFields, [&](auto name) { return object.contains(name); });
  if (n_prompts == 0) return "one of prompt, messages and prompt_ids is missing";
  if (n_prompts > 1) return "only one of prompt, messages and prompt_ids can be given";
  return {};
}

}  // namespace

PromptEntry parse_prompt(const std::string& text, int line) {
  BadLine bad{.line = line, .id = fmt::format("line-{}", line), .why = {}};
  PromptLine prompt;
  prompt.line = line;
  prompt.id = bad.id;
  try {
    const json object = parse_json_line(text);
    bad.why = object.is_object() ? fill(object, prompt) : "not a prompt: " + expected("an object", object);
    if (object.is_object() && object.contains("id")) set_text(object["id"], bad.id);
  } catch (const Error& e) {
    bad.why = e.what();
  }
  if (!bad.why.empty()) return bad;
  return prompt;
}

std::optional<PromptEntry> PromptReader::next() {
  while (const std::optional<std::string> text = next_line(in_)) {
    ++line_;
    if (!is_blank(*text)) return parse_prompt(*text, line_);
  }
  return std::nullopt;
}

std::vector<PromptEntry> read_prompts(std::istream& in) {
  std::vector<PromptEntry> entries;
  PromptReader reader(in);
  while (std::optional<PromptEntry> entry = reader.next()) entries.push_back(std::move(*entry));
  return entries;
}

}  // namespace ferry
