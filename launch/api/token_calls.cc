#include "launch/api/token_calls.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "launch/api/prompt_fields.h"
#include "launch/api/read_fields.h"
#include "launch/io/result_json.h"

namespace ferry {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

struct TokenizeCall {
  std::optional<Prompt> prompt;
  std::string prompt_field = "prompt";
  std::string model;
  bool add_special_tokens = true;
};

constexpr std::string_view kTokenizeFields[] = {"prompt", "messages", "model", "add_special_tokens"};
constexpr std::string_view kDetokenizeFields[] = {"tokens", "model"};

Problem set_field(const std::string& name, const json& value, TokenizeCall& call) {
  if (name == "model") return set_text(value, call.model);
  if (name == "add_special_tokens") return set_flag(value, call.add_special_tokens);
  if (call.prompt) return fmt::format("is given beside {}; only one of them can be", call.prompt_field);
  call.prompt_field = name;
  if (name == "messages") return set_conversation(value, call.prompt.emplace().emplace<std::vector<Message>>());
  if (!value.is_string()) return expected("text", value);
  call.prompt = value.get<std::string>();
  return {};
}

std::vector<int> tokens_of(const TokenizeCall& call, const TextModel& model) {
  const auto* text = std::get_if<std::string>(&*call.prompt);
  return text && !call.add_special_tokens ? model.tokenizer().encode(*text, SpecialTokens::parsed)
                                          : model.tokens_of(*call.prompt);
}

}  // namespace

std::variant<std::string, ApiError> tokenize(std::string_view body, const TextModel& model, const ApiRules& rules) {
  TokenizeCall call;
  const auto set = [&call](const std::string& name, const json& value) { return set_field(name, value, call); };
  if (const auto error = read_fields(body, kTokenizeFields, set)) return *error;
  if (!call.model.empty() && call.model != rules.model) return model_not_found(call.model);
  if (!call.prompt) return bad_request("prompt is missing", "prompt", "missing_parameter");
  try {
    const std::vector<int> tokens = tokens_of(call, model);
    return ordered_json({{"tokens", tokens}, {"count", tokens.size()}, {"max_model_len", rules.max_context}}).dump();
  } catch (const Error& e) {
    return bad_request(e.what(), call.prompt_field, "invalid_value");
  }
}

std::variant<std::string, ApiError> detokenize(std::string_view body, const TextModel& model, const ApiRules& rules) {
  std::optional<std::vector<int>> tokens;
  std::string name_of_model;
  const auto set = [&](const std::string& name, const json& value) -> Problem {
    if (name == "model") return set_text(value, name_of_model);
    tokens.emplace();
    return value == json::array() ? Problem() : set_ids(value, *tokens);
  };
  if (const auto error = read_fields(body, kDetokenizeFields, set)) return *error;
  if (!name_of_model.empty() && name_of_model != rules.model) return model_not_found(name_of_model);
  if (!tokens) return bad_request("tokens is missing", "tokens", "missing_parameter");
  for (const int token : *tokens) {
    if (token < model.tokenizer().n_vocab()) continue;
    return bad_request(fmt::format("Token {} is not in the vocabulary of {}", token, model.tokenizer().n_vocab()),
                       "tokens", "invalid_value");
  }
  return text_of(ordered_json({{"prompt", model.tokenizer().decode(*tokens)}}));
}

}  // namespace ferry
