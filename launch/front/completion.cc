#include "launch/front/completion.h"

namespace ferry {

namespace {

ResultMs times_of(const Account& account) {
  return {.queue = account.queue_ms,
          .reserve = account.reserve_ms,
          .prefill = account.bill.prefill_ms,
          .exposed_transfer = account.bill.exposed_transfer_ms,
          .verify = account.bill.verify_ms,
          .attach = account.bill.attach_ms,
          .ttft = account.ttft_ms,
          .total = account.total_ms};
}

std::string policy_of(const Account& account) {
  if (account.prefill.empty()) return {};  // it went nowhere
  if (account.prefill != account.decode) return "disaggregated";
  return account.short_prompt ? "short_prompt" : "colocated";
}

}  // namespace

Route route_of(const Account& account) {
  Route route = {.prefill = account.prefill,
                 .decode = account.decode,
                 .policy = policy_of(account),
                 .attempts = account.attempts,
                 .retries = {}};
  for (const Account::Retry& retry : account.retries)
    route.retries.push_back({.rung = std::string(name_of(retry.rung)), .why = retry.why});
  return route;
}

Completion::Completion(std::string id, const Request& request, const StopStrings& stops, const Tokenizer& tokenizer)
    : wants_logprobs_(request.n_logprobs >= 0),
      min_tokens_(static_cast<size_t>(request.min_tokens)),
      tokenizer_(tokenizer),
      detokenizer_(tokenizer),
      matcher_(stops) {
  result_.id = std::move(id);
  result_.prompt_ids = request.prompt;
  result_.usage.prompt_tokens = static_cast<int>(request.prompt.size());
}

bool Completion::append(const RequestEvent& event) {
  if (!event.prompt_logprobs.empty()) result_.prompt_logprobs = event.prompt_logprobs;
  for (const Token& token : event.tokens) {
    if (!ended_by_stop_string()) append(token);
  }
  const bool over = event.last() || ended_by_stop_string();
  if (over) end(event);
  return over;
}

// What is known of the whole when it is whole: for each token it would cost more than the token.
void Completion::end(const RequestEvent& event) {
  if (!ended_by_stop_string()) {
    show(detokenizer_.flush());
    result_.text += matcher_.flush();
  }
  const bool is_cut = event.finish == Finish::length && !ended_by_stop_string();
  result_.finish_reason = is_cut ? "length" : "stop";
  if (!event.error.empty()) {
    result_.finish_reason = "error";
    result_.error = event.error;
  }
  result_.usage.completion_tokens = static_cast<int>(result_.ids.size());
  result_.usage.cached_tokens = event.account.bill.cached_tokens;
  result_.route = route_of(event.account);
  result_.kv = {.bytes = event.account.bill.kv_bytes,
                .kept_tokens = event.account.bill.kept_tokens,
                .transport = event.account.transport};
  result_.ms = times_of(event.account);
}

void Completion::append(const Token& token) {
  result_.ids.push_back(token.id);
  if (wants_logprobs_) result_.logprobs.push_back(token);
  // A model's matrices may have more rows than there are tokens: what they stand for is no text.
  if (token.id < tokenizer_.n_vocab()) show(detokenizer_.append(token.id));
}

void Completion::show(const std::string& text) {
  result_.text += result_.ids.size() > min_tokens_ ? matcher_.append(text) : text;
}

std::string Completion::take_new_text() {
  std::string fresh = result_.text.substr(n_taken_);
  n_taken_ = result_.text.size();
  return fresh;
}

}  // namespace ferry
