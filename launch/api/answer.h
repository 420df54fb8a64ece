#pragma once
// One request of the API while it is answered: it becomes requests to the router, whose events become JSON, whole or
// as a stream of server-sent events. Pure: who owns the socket asks for what is due.
//
//   Answer answer(request, model, rules, identity);
//   auto requests = answer.take_requests();  // or why there are none
//   answer.take(choice, event);              // as the router tells
//   if (answer.choice_over(choice)) …        // cancel it at the router, if the event was not its last
//   if (answer.error()) …                    // send that, with its status, instead of anything else
//   send(answer.take_stream());              // or, when it is over: send(answer.body())

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/router/router.h"
#include "launch/api/completion_request.h"
#include "launch/api/piece_form.h"
#include "launch/front/completion.h"
#include "launch/front/text_model.h"

namespace ferry {

struct AnswerIdentity {
  std::string id;           // "chatcmpl-…" or "cmpl-…": nobody can guess it
  int64_t created = 0;      // Unix time, in seconds
  std::string fingerprint;  // system_fingerprint: what serves, as far as it may change what comes out
};

class Answer {
 public:
  // `model` outlives the answer.
  Answer(CompletionRequest request, const TextModel& model, const ApiRules& rules, AnswerIdentity identity);
  Answer(const Answer&) = delete;  // its choices refer to its stops
  Answer& operator=(const Answer&) = delete;

  // One request for each choice, in their order; who submits them gives them ids. To be called once, before the rest.
  std::variant<std::vector<Request>, ApiError> take_requests();

  void take(size_t choice, const RequestEvent& event);

  // Nothing more of it is wanted: it has ended, a stop string ended it, or the whole answer has failed.
  bool choice_over(size_t choice) const { return failure_ || choices_[choice].over; }
  bool over() const { return failure_ || n_open_ == 0; }

  // What went wrong, while nothing was said yet: it is the whole answer.
  std::optional<ApiError> error() const { return said_ ? std::nullopt : failure_; }

  // Server-sent events that are due since the last call; may be none. The last is "data: [DONE]".
  std::string take_stream();

  // The whole answer, when it is over and there is no error.
  std::string body();

  const CompletionRequest& request() const { return request_; }

 private:
  struct Choice {
    Completion completion;
    std::string echo;  // what is said before the answer
    bool over = false;
    bool opened = false;     // something was said of it
    bool closed = false;     // its end was said
    bool scored = false;     // the prompt's logprobs were said
    size_t n_logprobs = 0;   // tokens whose logprobs were said
    size_t text_offset = 0;  // characters before the next of those
  };

  std::optional<ApiError> refusal_of(const std::vector<int>& prompt) const;
  std::optional<ApiError> add_choices(const Prompt& prompt, std::vector<Request>& requests);
  std::string echo_of(const Prompt& prompt) const;
  bool wants_prompt_logprobs() const { return request_.echo && request_.generation.logprobs; }
  bool wants_only_prompt() const { return request_.generation.max_tokens == 0; }

  void stream(size_t index, std::string& out);
  void stream_piece(size_t index, const std::string& text, std::string& out);
  void stream_end(size_t index, std::string& out);
  void open(size_t index, std::string& out);
  void say(const nlohmann::ordered_json& event, std::string& out);
  nlohmann::ordered_json head(const char* object) const;
  const char* name_of_chunk() const;
  nlohmann::ordered_json chunk(nlohmann::ordered_json choice) const;
  nlohmann::ordered_json whole(size_t index);
  nlohmann::ordered_json new_logprobs(Choice& choice) const;
  nlohmann::ordered_json new_text_logprobs(Choice& choice, std::span<const Token> tokens) const;
  nlohmann::ordered_json usage() const;

  const CompletionRequest request_;
  const StopStrings stops_;  // of all choices
  const TextModel& model_;
  const ApiRules rules_;
  const AnswerIdentity identity_;
  const PieceForm piece_form_;
  std::vector<Choice> choices_;  // of the first prompt, then of the next
  size_t n_open_ = 0;
  size_t n_prompt_logprob_bytes_ = 0;  // of all choices
  std::optional<ApiError> failure_;
  bool said_ = false;  // some of the stream
  bool done_ = false;  // all of it
};

}  // namespace ferry
