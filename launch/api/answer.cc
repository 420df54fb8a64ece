// What a request of the API asks of the router, and what becomes of it. How that is written: answer_json.cc.

#include "launch/api/answer.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/check.h"
#include "core/base/error.h"
#include "core/base/hash.h"
#include "launch/api/logprobs.h"
#include "launch/io/printable.h"
#include "launch/io/result_json.h"

namespace ferry {
namespace {

constexpr double kRetryAfterS = 1;

ApiError error_of(const RequestEvent& event) {
  switch (event.fault) {
    case Fault::request:
      return bad_request(event.error);
    case Fault::deadline:
      return deadline_exceeded(event.error);
    case Fault::overloaded:
      return overloaded(event.error, kRetryAfterS);
    case Fault::service:
      break;
  }
  return unavailable(event.error);
}

RequestEvent without_tokens(RequestEvent event) {
  event.tokens.clear();
  if (event.finish != Finish::none) event.finish = Finish::length;
  return event;
}

const char* prompt_field(Endpoint endpoint) { return endpoint == Endpoint::chat ? "messages" : "prompt"; }

}  // namespace

Answer::Answer(CompletionRequest request, const TextModel& model, const ApiRules& rules, AnswerIdentity identity)
    : request_(std::move(request)),
      stops_(request_.generation.stop),
      model_(model),
      rules_(rules),
      identity_(std::move(identity)),
      piece_form_(text_of(head(name_of_chunk())), request_) {}

std::variant<std::vector<Request>, ApiError> Answer::take_requests() {
  check(choices_.empty(), "requests are taken once");
  std::vector<Request> requests;
  for (const Prompt& prompt : request_.prompts) {
    if (auto refusal = add_choices(prompt, requests)) return *refusal;
  }
  n_open_ = choices_.size();
  return requests;
}

std::optional<ApiError> Answer::add_choices(const Prompt& prompt, std::vector<Request>& requests) {
  std::vector<int> tokens;
  try {
    tokens = model_.tokens_of(prompt);
  } catch (const Error& e) {
    return bad_request(e.what(), prompt_field(request_.endpoint));
  }
  if (auto refusal = refusal_of(tokens)) return refusal;
  // Nobody knows the answer's id beforehand: without a seed, each answer is another one.
  const int n_left = rules_.max_context - static_cast<int>(tokens.size());
  Request first =
      request_of(request_.generation, std::move(tokens), {.max_tokens = n_left, .seed = hash_of(identity_.id)});
  first.max_tokens = std::max(first.max_tokens, 1);  // a prompt that alone is wanted has a token that is not told
  first.prompt_logprobs = wants_prompt_logprobs();
  n_prompt_logprob_bytes_ += first.prompt_logprob_bytes() * static_cast<size_t>(request_.n);
  if (n_prompt_logprob_bytes_ > kMostPromptLogprobBytes) {
    return bad_request(
        fmt::format("echo with logprobs: of these prompts and choices there would be more than {} MiB; ask for fewer "
                    "at a time, or for fewer alternatives",
                    kMostPromptLogprobBytes >> 20),
        "echo");
  }
  const std::string echo = request_.echo ? echo_of(prompt) : "";
  for (int i = 0; i < request_.n; ++i) {
    Request& request = requests.emplace_back(first);
    request.sampling.seed += static_cast<uint64_t>(i);
    choices_.push_back({.completion = Completion(identity_.id, request, stops_, model_.tokenizer()),
                        .echo = echo,
                        .text_offset = n_characters(echo)});
  }
  return std::nullopt;
}

std::optional<ApiError> Answer::refusal_of(const std::vector<int>& prompt) const {
  const char* field = prompt_field(request_.endpoint);
  const int n_vocab = model_.tokenizer().n_vocab(), n_prompt = static_cast<int>(prompt.size());
  const int n_answer = request_.generation.max_tokens.value_or(1);
  if (prompt.empty()) return bad_request("The prompt has no tokens", field);
  if (const int highest = *std::ranges::max_element(prompt); highest >= n_vocab) {
    return bad_request(fmt::format("Token {} is not in the vocabulary of {}", highest, n_vocab), field,
                       "invalid_value");
  }
  for (const LogitBias& bias : request_.generation.sampling.logit_bias) {
    if (bias.id < n_vocab) continue;
    return bad_request(fmt::format("Token {} is not in the vocabulary of {}", bias.id, n_vocab), "logit_bias",
                       "invalid_value");
  }
  if (n_prompt > rules_.most_prompt_tokens) {
    return bad_request(
        fmt::format("The prompt has {} tokens; this server takes {}", n_prompt, rules_.most_prompt_tokens), field,
        "context_length_exceeded");
  }
  if (n_prompt > rules_.max_context - n_answer) {
    return bad_request(fmt::format("The model's context is {} tokens; the prompt has {} and the answer may have {}",
                                   rules_.max_context, n_prompt, n_answer),
                       field, "context_length_exceeded");
  }
  return std::nullopt;
}

std::string Answer::echo_of(const Prompt& prompt) const {
  const auto* text = std::get_if<std::string>(&prompt);
  return text ? *text : model_.tokenizer().decode(std::get<std::vector<int>>(prompt));
}

void Answer::take(size_t index, const RequestEvent& event) {
  if (choice_over(index)) return;
  Choice& choice = choices_[index];
  choice.over = choice.completion.append(wants_only_prompt() ? without_tokens(event) : event);
  if (!choice.over) return;
  --n_open_;
  if (choice.completion.result().finish_reason == "error") failure_ = error_of(event);
}

}  // namespace ferry
