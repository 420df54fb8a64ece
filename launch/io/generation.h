#pragma once
// How a model is to go on from a prompt: the fields that JSON lines and the API have in common.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/engine/request.h"
#include "launch/io/json_fields.h"

namespace ferry {

struct Generation {
  std::optional<int> max_tokens;
  int min_tokens = 0;
  Sampling sampling;  // without the seed
  std::optional<uint64_t> seed;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::optional<int> logprobs;  // alternatives to report beside each token
};

// All but logprobs, which has several forms.
struct GenerationField {
  std::string_view name;
  Problem (*set)(const nlohmann::json& value, Generation& out);
};
std::span<const GenerationField> generation_fields();

// The request for it, with defaults for what it does not say. Its id is for others to set.
struct GenerationDefaults {
  int max_tokens = 0;
  uint64_t seed = 0;
};
Request request_of(const Generation& generation, std::vector<int> prompt, const GenerationDefaults& defaults);

}  // namespace ferry
