#pragma once
// Answers of a tiny model whose tokens a test chooses: what the router would tell, and what then was said.

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "launch/api/answer.h"
#include "tests/support/tiny_model.h"

namespace ferry {

constexpr int kNamelessToken = 310;  // the model may produce it; its tokenizer ends at 300

// Tokens as tests/support/tiny_model.h has them.
inline const TextModel& tiny_text_model() {
  static const std::vector<std::byte> bytes = [] {
    GgufContent content = tiny_model({.n_vocab = 320});
    for (const auto& [key, value] : tiny_model({.n_vocab = 300}).metadata) {
      if (key.starts_with("tokenizer.")) content.set(key, value);
    }
    return gguf_bytes(content);
  }();
  static const ModelFile file(GgufFile("tiny", bytes));
  static const TextModel model(file, "auto");
  return model;
}

inline const ApiRules kTinyRules = {.model = "tiny", .max_context = 512};

// One token for each byte.
inline std::vector<int> byte_tokens(std::string_view text) {
  std::vector<int> ids;
  for (const char c : text) ids.push_back(kTinyFirstByte + static_cast<uint8_t>(c));
  return ids;
}

inline RequestEvent event_of(const std::vector<int>& ids, Finish finish = Finish::none) {
  RequestEvent event;
  for (const int id : ids) event.tokens.push_back({.id = id, .logprob = -0.5f, .top = {{.id = 68, .logprob = -0.25f}}});
  event.finish = finish;
  return event;
}

inline RequestEvent failure_of(Fault fault, std::string why) {
  RequestEvent event;
  event.fault = fault;
  event.error = std::move(why);
  return event;
}

struct TinyAnswer {
  std::unique_ptr<Answer> answer;
  std::vector<Request> requests;
  std::optional<ApiError> refusal;
};

inline TinyAnswer ask(Endpoint endpoint, const std::string& body) {
  auto parsed = parse_completion(endpoint, body, kTinyRules);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return {.answer = {}, .requests = {}, .refusal = *error};
  TinyAnswer tiny = {.answer = std::make_unique<Answer>(
                         std::get<CompletionRequest>(std::move(parsed)), tiny_text_model(), kTinyRules,
                         AnswerIdentity{.id = "cmpl-7", .created = 1700000000, .fingerprint = "ferry-test"}),
                     .requests = {},
                     .refusal = {}};
  auto requests = tiny.answer->take_requests();
  if (const auto* error = std::get_if<ApiError>(&requests)) {
    tiny.refusal = *error;
  } else {
    tiny.requests = std::get<std::vector<Request>>(std::move(requests));
  }
  return tiny;
}

// The server-sent events of a stream; [DONE] is null.
inline std::vector<nlohmann::json> events_in(std::string_view stream) {
  constexpr std::string_view kBegin = "data: ", kEnd = "\n\n";
  std::vector<nlohmann::json> events;
  while (!stream.empty()) {
    const size_t end = stream.find(kEnd);
    if (!stream.starts_with(kBegin) || end == std::string_view::npos) {
      ADD_FAILURE() << "no event: " << stream;
      break;
    }
    const std::string_view data = stream.substr(kBegin.size(), end - kBegin.size());
    events.push_back(data == "[DONE]" ? nlohmann::json() : nlohmann::json::parse(data));
    stream.remove_prefix(end + kEnd.size());
  }
  return events;
}

// What the events say of one choice, put together.
inline std::string text_in(const std::vector<nlohmann::json>& events, size_t index = 0) {
  std::string all;
  for (const nlohmann::json& event : events) {
    if (event.is_null() || !event.contains("choices")) continue;
    for (const nlohmann::json& choice : event["choices"]) {
      if (choice["index"] != index) continue;
      all += choice.contains("delta") ? choice["delta"].value("content", "") : choice["text"].get<std::string>();
    }
  }
  return all;
}

}  // namespace ferry
