#pragma once
// One request of the API while it is answered: it becomes requests to the router, whose events become JSON, whole or
// as a stream of server-sent events. Pure: who owns the socket asks for what is due.
//
//   Answer answer(request, model, rules, identity);
//   auto requests = answer.take_requests();         // or why there are none
//   answer.take(choice, event);                     // as the router tells
//   if (answer.choice_over(choice)) …               // cancel it at the router, if the event was not its last
//   if (answer.error()) …                           // instead of anything else
//   send(answer.take_stream());                     // or, when it is over: send(answer.body())

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/router/router.h"
#include "launch/api/completion_request.h"
#include "launch/front/completion.h"
#include "launch/front/text_model.h"

namespace ferry {

struct AnswerIdentity {
  std::string id;           // "chatcmpl-…" or "cmpl-…": nobody can guess it
  int64_t created = 0;      // Unix time, in seconds
  std::string fingerprint;  // system_fingerprint: what serves, where it may change what comes out
};

class Answer {
 public:
  // `model` outlives the answer.
  Answer(CompletionRequest request, const TextModel& model, const ApiRules& rules, AnswerIdentity identity);

  // One request for each choice, in their order; who submits them gives them ids. To be called once, before the rest.
  std::variant<std::vector<Request>, ApiError> take_requests();

  void take(size_t choice, const RequestEvent& event);
  bool choice_over(size_t choice) const;
  bool over() const;

  // What went wrong, while nothing was said yet: it is the whole answer, with its status.
  std::optional<ApiError> error() const;

  // Server-sent events that are due since the last call; may be none. The last is "data: [DONE]".
  std::string take_stream();

  // The whole answer, when it is over and there is no error.
  std::string body() const;

  const CompletionRequest& request() const { return request_; }

 private:
  const CompletionRequest request_;
  const TextModel& model_;
  const ApiRules& rules_;
  const AnswerIdentity identity_;
};

}  // namespace ferry
