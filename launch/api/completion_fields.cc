#include "launch/api/completion_fields.h"

#include <array>
#include <map>
#include <span>

#include "core/base/quoted.h"
#include "launch/api/prompt_fields.h"

namespace ferry {
namespace {

using nlohmann::json;
using Draft = CompletionDraft;

constexpr int kMostN = 128;
constexpr int kMostLogprobs = 20;

CompletionField supported(std::string_view name, Problem (*set)(const json& value, Draft& out)) {
  return {.name = name, .use = FieldUse::supported, .set = set};
}

CompletionField ignored(std::string_view name) {
  return {.name = name, .use = FieldUse::ignored, .set = [](const json&, Draft&) { return Problem(); }};
}

// `set` lets the values pass that ask for nothing.
CompletionField refused(
    std::string_view name,
    Problem (*set)(const json& value, Draft& out) = [](const json&, Draft&) { return Problem("is not supported"); }) {
  return {.name = name, .use = FieldUse::refused, .set = set};
}

Problem only(bool neutral, std::string_view what) {
  return neutral ? Problem() : fmt::format("is not supported; only {} is", what);
}

Problem set_stream_options(const json& value, Draft& out) {
  if (!value.is_object()) return expected("an object", value);
  out.stream_options = true;
  for (const auto& [key, option] : value.items()) {
    bool ignored_option = false;  // include_obfuscation pads the stream against eavesdroppers; TLS is there for them
    if (key != "include_usage" && key != "include_obfuscation") {
      return fmt::format("unknown field {}", ferry::quoted(key));
    }
    const Problem problem = set_flag(option, key == "include_usage" ? out.request.include_usage : ignored_option);
    if (!problem.empty()) return fmt::format("{}: {}", key, problem);
  }
  return {};
}

Problem set_tier(const json& value, Draft& out) {
  static const std::map<std::string, Priority> kTiers = {
      {"priority", Priority::high}, {"auto", Priority::normal}, {"default", Priority::normal}, {"flex", Priority::low}};
  const auto tier = value.is_string() ? kTiers.find(value.get<std::string>()) : kTiers.end();
  if (tier == kTiers.end()) return expected(R"("auto", "default", "flex" or "priority")", value);
  out.request.priority = tier->second;
  return {};
}

const std::array kShared = {
    supported("model", [](const json& v, Draft& d) { return set_text(v, d.model); }),
    supported("n", [](const json& v, Draft& d) { return set_whole(v, 1, kMostN, d.request.n); }),
    supported("stream", [](const json& v, Draft& d) { return set_flag(v, d.request.stream); }),
    supported("stream_options", set_stream_options),
    supported("service_tier", set_tier),
    ignored("user"),
};

const std::array kChat = {
    supported("messages",
              [](const json& v, Draft& d) {
                auto& prompt = d.request.prompts.emplace_back(std::vector<Message>());
                return set_conversation(v, std::get<std::vector<Message>>(prompt));
              }),
    supported("max_completion_tokens",
              [](const json& v, Draft& d) { return set_whole(v, 1, kMaxInt, d.max_completion_tokens); }),
    supported("logprobs", [](const json& v, Draft& d) { return set_flag(v, d.logprobs); }),
    supported("top_logprobs", [](const json& v, Draft& d) { return set_whole(v, 0, kMostLogprobs, d.top_logprobs); }),
    ignored("metadata"),
    ignored("parallel_tool_calls"),
    ignored("prediction"),
    ignored("prompt_cache_key"),
    ignored("prompt_cache_retention"),
    ignored("safety_identifier"),
    ignored("store"),
    refused("audio"),
    refused("function_call", [](const json& v, Draft&) { return only(v == "none", "\"none\""); }),
    refused("functions", [](const json& v, Draft&) { return only(v == json::array(), "an empty list"); }),
    refused("modalities", [](const json& v, Draft&) { return only(v == json::array({"text"}), "[\"text\"]"); }),
    refused("reasoning_effort"),
    refused("response_format",
            [](const json& v, Draft&) {
              return only(v == json::object({{"type", "text"}}), "{\"type\": \"text\"}");
            }),
    refused("tool_choice", [](const json& v, Draft&) { return only(v == "none" || v == "auto", "\"none\""); }),
    refused("tools", [](const json& v, Draft&) { return only(v == json::array(), "an empty list"); }),
    refused("verbosity"),
    refused("web_search_options"),
};

const std::array kText = {
    supported("prompt", [](const json& v, Draft& d) { return set_prompts(v, d.request.prompts); }),
    supported("max_tokens",  // 0: only the prompt is wanted, for its logprobs
              [](const json& v, Draft& d) { return set_whole(v, 0, kMaxInt, d.request.generation.max_tokens); }),
    supported("echo", [](const json& v, Draft& d) { return set_flag(v, d.request.echo); }),
    supported("logprobs",
              [](const json& v, Draft& d) { return set_whole(v, 0, kMostLogprobs, d.request.generation.logprobs); }),
    refused("best_of", [](const json& v, Draft&) { return only(v == 1, "1"); }),
    refused("suffix",
            [](const json& v, Draft&) {
              return only(v.is_string() && v.get_ref<const std::string&>().empty(), "an empty text");
            }),
};

}  // namespace

std::vector<CompletionField> completion_fields(Endpoint endpoint) {
  std::vector<CompletionField> fields(kShared.begin(), kShared.end());
  const auto add = [&fields](std::span<const CompletionField> more) {
    fields.insert(fields.end(), more.begin(), more.end());
  };
  endpoint == Endpoint::chat ? add(kChat) : add(kText);
  return fields;
}

}  // namespace ferry
