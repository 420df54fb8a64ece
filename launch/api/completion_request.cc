#include "launch/api/completion_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "launch/api/completion_fields.h"
#include "launch/config/nearest.h"
#include "launch/io/json_line.h"

namespace ferry {
namespace {

using nlohmann::json;
using Refusal = std::optional<ApiError>;

constexpr int kMostLevels = 32;     // of lists and objects; a description of tools, which is refused in words, has many
constexpr int kTextMaxTokens = 16;  // the default of OpenAI's API

const std::vector<CompletionField>& fields_of(Endpoint endpoint) {
  static const std::vector<CompletionField> chat = completion_fields(Endpoint::chat);
  static const std::vector<CompletionField> text = completion_fields(Endpoint::text);
  return endpoint == Endpoint::chat ? chat : text;
}

ApiError unknown_field(Endpoint endpoint, const std::string& name) {
  std::vector<std::string_view> known;
  for (const ApiField& field : api_fields(endpoint)) known.push_back(field.name);
  return bad_request(fmt::format("Unrecognized request argument supplied: {}; did you mean '{}'?", ferry::quoted(name),
                                 nearest(name, known)),
                     name, "unknown_parameter");
}

// Null is a field that is not given: clients write down what they leave open.
Refusal set_field(const std::string& name, const json& value, CompletionDraft& draft) {
  const auto& fields = fields_of(draft.request.endpoint);
  const auto own = std::ranges::find(fields, name, &CompletionField::name);
  const auto common = std::ranges::find(generation_fields(), name, &GenerationField::name);
  const bool is_own = own != fields.end();
  if (!is_own && common == generation_fields().end()) return unknown_field(draft.request.endpoint, name);
  if (value.is_null()) return std::nullopt;
  const Problem problem = is_own ? own->set(value, draft) : common->set(value, draft.request.generation);
  if (problem.empty()) return std::nullopt;
  const bool is_refused = is_own && own->use == FieldUse::refused;
  return bad_request(fmt::format("{}: {}", name, problem), name,
                     is_refused ? "unsupported_parameter" : "invalid_value");
}

Refusal refusal_of_tokens(CompletionDraft& draft) {
  Generation& generation = draft.request.generation;
  if (draft.max_completion_tokens) {
    if (generation.max_tokens) {
      return bad_request("max_tokens and max_completion_tokens are the same: give one of them", "max_tokens");
    }
    generation.max_tokens = draft.max_completion_tokens;
  }
  if (draft.request.endpoint == Endpoint::text && !generation.max_tokens) generation.max_tokens = kTextMaxTokens;
  if (generation.max_tokens == 0 && !draft.request.echo) {
    return bad_request("max_tokens is 0: nothing is wanted, without echo", "max_tokens", "invalid_value");
  }
  if (generation.max_tokens && generation.min_tokens > *generation.max_tokens) {
    return bad_request(fmt::format("min_tokens: {} is more than max_tokens, which is {}", generation.min_tokens,
                                   *generation.max_tokens),
                       "min_tokens");
  }
  return std::nullopt;
}

Refusal refusal_of_logprobs(CompletionDraft& draft) {
  Generation& generation = draft.request.generation;
  if (draft.top_logprobs && !draft.logprobs) {
    return bad_request("top_logprobs is only allowed when logprobs is true", "top_logprobs");
  }
  if (draft.logprobs) generation.logprobs = draft.top_logprobs.value_or(0);
  return std::nullopt;
}

Refusal refusal_of_stops(const std::vector<std::string>& stops, const ApiRules& rules) {
  if (stops.size() > rules.most_stops) {
    return bad_request(fmt::format("stop: more than {} texts", rules.most_stops), "stop", "invalid_value");
  }
  const bool fits = std::ranges::all_of(stops, [&](const auto& s) { return s.size() <= rules.most_stop_bytes; });
  if (fits) return std::nullopt;
  return bad_request(fmt::format("stop: longer than {} bytes", rules.most_stop_bytes), "stop", "invalid_value");
}

Refusal refusal_of(CompletionDraft& draft, const ApiRules& rules) {
  const CompletionRequest& request = draft.request;
  const std::string prompt_field = request.endpoint == Endpoint::chat ? "messages" : "prompt";
  if (!draft.model.empty() && draft.model != rules.model) return model_not_found(draft.model);
  if (request.prompts.empty()) return bad_request(prompt_field + " is missing", prompt_field, "missing_parameter");
  if (request.n_choices() > static_cast<size_t>(rules.most_choices)) {
    return bad_request(fmt::format("{} prompts with n = {} are {} choices; at most {} are allowed",
                                   request.prompts.size(), request.n, request.n_choices(), rules.most_choices),
                       request.prompts.size() > 1 ? prompt_field : "n");
  }
  if (draft.stream_options && !request.stream) {
    return bad_request("stream_options is only allowed when stream is true", "stream_options");
  }
  if (Refusal refusal = refusal_of_stops(request.generation.stop, rules)) return refusal;
  if (Refusal refusal = refusal_of_tokens(draft)) return refusal;
  return refusal_of_logprobs(draft);
}

std::variant<json, ApiError> parsed(std::string_view body) {
  try {
    json object = parse_json(body, kMostLevels);
    if (object.is_object()) return object;
    return bad_request("The body must be a JSON object");
  } catch (const Error& e) {
    return bad_request(str("The body cannot be read: ", e.what()));
  }
}

}  // namespace

std::variant<CompletionRequest, ApiError> parse_completion(Endpoint endpoint, std::string_view body,
                                                           const ApiRules& rules) {
  const auto object = parsed(body);
  if (const auto* error = std::get_if<ApiError>(&object)) return *error;
  CompletionDraft draft;
  draft.request.endpoint = endpoint;
  for (const auto& [name, value] : std::get<json>(object).items()) {
    if (Refusal refusal = set_field(name, value, draft)) return *refusal;
  }
  if (Refusal refusal = refusal_of(draft, rules)) return *refusal;
  return std::move(draft.request);
}

std::vector<ApiField> api_fields(Endpoint endpoint) {
  std::vector<ApiField> all;
  for (const CompletionField& field : fields_of(endpoint)) all.push_back({.name = field.name, .use = field.use});
  for (const GenerationField& field : generation_fields()) {
    if (std::ranges::find(all, field.name, &ApiField::name) == all.end()) all.push_back({.name = field.name});
  }
  return all;
}

}  // namespace ferry
