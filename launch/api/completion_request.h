#pragma once
// The body of POST /v1/chat/completions and /v1/completions, checked: bytes in, a request or an error for its sender
// out.
//
// One table says what becomes of each field of OpenAI's API: it is supported; it is ignored, because it could not
// change the answer; or it is refused, because it would. A field that is in none of the three is refused, too.

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/engine/request.h"
#include "core/router/fair_queue.h"
#include "launch/api/api_error.h"
#include "launch/io/json_fields.h"
#include "launch/io/prompts.h"

namespace ferry {

enum class Endpoint : uint8_t { chat, text };

// What holds for every request to one model.
struct ApiRules {
  std::string model;       // its name; a request that names another is refused
  int max_context = 0;     // tokens of prompt and answer together
  int most_choices = 128;  // prompts × n
  int most_prompt_tokens = std::numeric_limits<int>::max();
  size_t most_stops = kMostStops;
  size_t most_stop_bytes = kMostStopBytes;  // of each
};

struct CompletionRequest {
  Endpoint endpoint = Endpoint::chat;
  std::vector<Prompt> prompts;  // of chat: one
  int n = 1;                    // choices for each prompt
  Generation generation = {.sampling = {.temperature = 1}};
  Priority priority = Priority::normal;  // service_tier
  bool echo = false;
  bool stream = false;
  bool include_usage = false;  // at the end of a stream; elsewhere it is always there

  size_t n_choices() const { return prompts.size() * static_cast<size_t>(n); }
};

std::variant<CompletionRequest, ApiError> parse_completion(Endpoint endpoint, std::string_view body,
                                                           const ApiRules& rules);

// The table, for documents and tests.
enum class FieldUse : uint8_t { supported, ignored, refused };
struct ApiField {
  std::string_view name;
  FieldUse use = FieldUse::supported;
};
std::vector<ApiField> api_fields(Endpoint endpoint);

}  // namespace ferry
