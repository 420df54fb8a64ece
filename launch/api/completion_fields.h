#pragma once
// The fields of a completion's body, one by one: what is done with each.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launch/api/completion_request.h"
#include "launch/io/json_fields.h"

namespace ferry {

// A request while its fields are read; what they mean together is seen when all are there.
struct CompletionDraft {
  CompletionRequest request;
  std::string model;                         // empty: the one that is served
  std::optional<int> max_completion_tokens;  // the newer name of max_tokens
  bool logprobs = false;                     // of chat
  std::optional<int> top_logprobs;           // of chat
  bool stream_options = false;               // they are given
};

struct CompletionField {
  std::string_view name;
  FieldUse use = FieldUse::supported;
  Problem (*set)(const nlohmann::json& value, CompletionDraft& out) = nullptr;
};

// All but the generation_fields(), which every endpoint has.
std::vector<CompletionField> completion_fields(Endpoint endpoint);

}  // namespace ferry
