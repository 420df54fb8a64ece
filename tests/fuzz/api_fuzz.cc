// Any body that a client may send: it becomes an answer or an error that says why not, and what a stream says is what
// the whole answer says.
//
// The first byte chooses the endpoint, the second how many tokens an event has; the rest is the body, and what the
// model answers, too.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/check.h"
#include "launch/api/answer.h"
#include "launch/api/token_calls.h"
#include "tests/support/tiny_model.h"

namespace ferry {
namespace {

using nlohmann::json;

constexpr int kVocabulary = 320;
const ApiRules kRules = {.model = "tiny", .max_context = 512, .most_choices = 8};

const TextModel& model() {
  static const std::vector<std::byte> bytes = gguf_bytes(tiny_model({.n_vocab = kVocabulary}));
  static const ModelFile file(GgufFile("tiny", bytes));
  static const TextModel text(file, "auto");
  return text;
}

void check_error(const ApiError& error) {
  check(error.status == 400 || error.status == 404, "it is the client's fault");
  check(!error.message.empty(), "an error says why");
  check(json::parse(body_of(error)).contains("error"), "an error has the shape that clients read");
}

// Tokens that a model might answer with: all kinds of them, some beyond the tokenizer's last.
RequestEvent event_of(std::string_view bytes, bool last) {
  RequestEvent event;
  for (const char c : bytes) {
    const int id = static_cast<uint8_t>(c) * 3 % (kVocabulary + 2);
    event.tokens.push_back({.id = id, .logprob = -1, .top = {{.id = kVocabulary - id % 9, .logprob = -2}}});
  }
  if (last) event.finish = Finish::length;
  return event;
}

std::string text_of(std::string_view stream) {
  constexpr std::string_view kBegin = "data: ", kEnd = "\n\n", kDone = "[DONE]";
  std::string text;
  while (true) {
    check(stream.starts_with(kBegin), "a stream is events");
    const size_t end = stream.find(kEnd);
    const std::string_view data = stream.substr(kBegin.size(), end - kBegin.size());
    stream.remove_prefix(end + kEnd.size());
    if (data == kDone) break;
    const json event = json::parse(data);
    for (const json& choice : event.at("choices")) {
      if (choice.at("index") != 0) continue;
      text += choice.contains("delta") ? choice["delta"].value("content", "") : choice.at("text").get<std::string>();
    }
  }
  check(stream.empty(), "[DONE] is last");
  return text;
}

std::string text_of_whole(const std::string& body) {
  const json choice = json::parse(body).at("choices").at(0);
  return choice.contains("message") ? choice["message"].at("content") : choice.at("text");
}

// Both forms of an answer to the same tokens.
void check_answer(const CompletionRequest& request, std::string_view tokens, size_t n_at_once) {
  const AnswerIdentity identity = {.id = "x", .created = 1, .fingerprint = "f"};
  Answer whole(request, model(), kRules, identity), streamed(request, model(), kRules, identity);
  const auto requests = whole.take_requests();
  if (const auto* error = std::get_if<ApiError>(&requests)) return check_error(*error);
  streamed.take_requests();
  const size_t n_choices = std::get<std::vector<Request>>(requests).size();
  check(n_choices == request.n_choices() && n_choices <= 8, "there are as many choices as were asked for");

  std::string said;
  for (size_t at = 0; at < tokens.size(); at += n_at_once) {
    streamed.take(0, event_of(tokens.substr(at, n_at_once), false));
    said += streamed.take_stream();
  }
  for (size_t choice = 0; choice < n_choices; ++choice) {
    whole.take(choice, event_of(choice == 0 ? tokens : "x", true));
    streamed.take(choice, event_of(choice == 0 ? "" : "x", true));
  }
  said += streamed.take_stream();
  check(text_of(said) == text_of_whole(whole.body()), "a stream says what the whole answer says");
}

void check_completion(Endpoint endpoint, std::string_view body, size_t n_at_once) {
  const auto parsed = parse_completion(endpoint, body, kRules);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return check_error(*error);
  check_answer(std::get<CompletionRequest>(parsed), body, n_at_once);
}

void check_call(const std::variant<std::string, ApiError>& answer) {
  if (const auto* error = std::get_if<ApiError>(&answer)) return check_error(*error);
  check(json::parse(std::get<std::string>(answer)).is_object(), "an answer is an object");
}

}  // namespace
}  // namespace ferry

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ferry;
  if (size < 2) return 0;
  const std::string_view body(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t n_at_once = data[1] % 16 + 1;
  switch (data[0] % 4) {
    case 0:
      check_completion(Endpoint::chat, body, n_at_once);
      break;
    case 1:
      check_completion(Endpoint::text, body, n_at_once);
      break;
    case 2:
      check_call(tokenize(body, model(), kRules));
      break;
    default:
      check_call(detokenize(body, model(), kRules));
  }
  return 0;
}
