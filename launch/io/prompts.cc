#include "launch/io/prompts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "launch/config/nearest.h"
#include "launch/io/json_line.h"

namespace ferry {
namespace {

using nlohmann::json;
using Problem = std::string;  // why a value is refused; empty: it is not

constexpr size_t kMaxStops = 16;
constexpr int kMaxLogprobs = 100;
constexpr int kMaxInt = std::numeric_limits<int>::max();

// The value as it stands in the line where it is short, its kind where it may be long.
std::string found_in(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().empty() ? "empty text" : "text";
  if (value.is_array()) return value.empty() ? "an empty list" : "a list";
  return value.is_object() ? "an object" : value.dump();
}

Problem expected(std::string_view what, const json& found) {
  return fmt::format("expected {}, found {}", what, found_in(found));
}

// Every whole number of a prompt is a count, an id or a seed: none is negative.
template <class T>
Problem set_whole(const json& value, T low, T high, T& out) {
  const bool fits = value.is_number_unsigned() && value.get<uint64_t>() >= static_cast<uint64_t>(low) &&
                    value.get<uint64_t>() <= static_cast<uint64_t>(high);
  if (!fits) return expected(fmt::format("a whole number from {} to {}", low, high), value);
  out = value.get<T>();
  return {};
}

template <class T>
Problem set_whole(const json& value, T low, T high, std::optional<T>& out) {
  return set_whole(value, low, high, out.emplace());
}

Problem set_real(const json& value, double low, double high, std::optional<float>& out) {
  const bool fits = value.is_number() && value.get<double>() >= low && value.get<double>() <= high;
  if (!fits) return expected(fmt::format("a number from {} to {}", low, high), value);
  out = value.get<float>();
  return {};
}

Problem set_text(const json& value, std::string& out) {
  const bool fits = value.is_string() && !value.get_ref<const std::string&>().empty();
  if (!fits) return expected("text", value);
  out = value.get<std::string>();
  return {};
}

Problem set_flag(const json& value, bool& out) {
  if (!value.is_boolean()) return expected("true or false", value);
  out = value.get<bool>();
  return {};
}

Problem set_ids(const json& value, PromptLine& out) {
  const bool filled = value.is_array() && !value.empty();
  if (!filled) return expected("a list of token ids", value);
  std::vector<int>& ids = out.prompt.emplace<std::vector<int>>();
  for (const json& item : value) {
    const Problem problem = set_whole(item, 0, kMaxInt, ids.emplace_back());
    if (!problem.empty()) return fmt::format("item {}: {}", ids.size() - 1, problem);
  }
  return {};
}

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

Problem set_stop(const json& value, std::vector<std::string>& out) {
  if (value.is_string()) return set_text(value, out.emplace_back());
  if (!value.is_array()) return expected("text or a list of texts", value);
  if (value.size() > kMaxStops) return fmt::format("more than {} texts", kMaxStops);
  for (const json& item : value) {
    const Problem problem = set_text(item, out.emplace_back());
    if (!problem.empty()) return fmt::format("item {}: {}", out.size() - 1, problem);
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
    Field{"prompt_ids", [](const json& v, PromptLine& p) { return set_ids(v, p); }},
    Field{"max_tokens", [](const json& v, PromptLine& p) { return set_whole(v, 1, kMaxInt, p.max_tokens); }},
    Field{"temperature", [](const json& v, PromptLine& p) { return set_real(v, 0, 100, p.temperature); }},
    Field{"top_p", [](const json& v, PromptLine& p) { return set_real(v, 0, 1, p.top_p); }},
    Field{"top_k", [](const json& v, PromptLine& p) { return set_whole(v, 0, kMaxInt, p.top_k); }},
    Field{"min_p", [](const json& v, PromptLine& p) { return set_real(v, 0, 1, p.min_p); }},
    Field{"seed", [](const json& v, PromptLine& p) { return set_whole<uint64_t>(v, 0, UINT64_MAX, p.seed); }},
    Field{"stop", [](const json& v, PromptLine& p) { return set_stop(v, p.stop); }},
    Field{"ignore_eos", [](const json& v, PromptLine& p) { return set_flag(v, p.ignore_eos); }},
    Field{"logprobs", [](const json& v, PromptLine& p) { return set_whole(v, 0, kMaxLogprobs, p.logprobs); }},
};

Problem unknown_field(std::string_view name) {
  std::array<std::string_view, kFields.size()> names;
  std::ranges::transform(kFields, names.begin(), &Field::name);
  return fmt::format("unknown field {}; did you mean '{}'?", ferry::quoted(name), nearest(name, names));
}

Problem fill(const json& object, PromptLine& out) {
  for (const auto& [key, value] : object.items()) {
    const auto field = std::ranges::find(kFields, key, &Field::name);
    if (field == kFields.end()) return unknown_field(key);
    const Problem problem = field->set(value, out);
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
