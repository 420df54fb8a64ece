// How an answer is written. A stream's first event of a chat's choice names the role, its last one the reason of its
// end; what waits for the rest of a character or of a stop string is not said before it is known.

#include <span>
#include <utility>

#include "core/base/check.h"
#include "launch/api/answer.h"
#include "launch/api/logprobs.h"
#include "launch/io/result_json.h"

namespace ferry {

using nlohmann::ordered_json;

// ---- as a stream

std::string Answer::take_stream() {
  std::string out;
  if (done_ || error()) return out;
  if (!failure_) {
    for (size_t i = 0; i < choices_.size(); ++i) stream(i, out);
  }
  if (!over()) return out;
  if (failure_) {
    out += "data: " + body_of(*failure_) + "\n\n";
  } else if (request_.include_usage) {
    ordered_json last = chunk(nullptr);
    last["usage"] = usage();
    say(last, out);
  }
  done_ = true;
  return out + "data: [DONE]\n\n";
}

void Answer::stream(size_t index, std::string& out) {
  Choice& choice = choices_[index];
  if (choice.closed) return;
  const std::string text = choice.completion.take_new_text();
  const bool has_logprobs =
      choice.completion.result().logprobs.size() > choice.n_logprobs || (wants_prompt_logprobs() && !choice.scored);
  if (!text.empty() || (choice.over && has_logprobs)) stream_piece(index, text, out);
  if (choice.over) stream_end(index, out);
}

void Answer::stream_piece(size_t index, const std::string& text, std::string& out) {
  Choice& choice = choices_[index];
  if (request_.endpoint == Endpoint::chat) open(index, out);
  choice.opened = true;
  const std::string logprobs = request_.generation.logprobs ? text_of(new_logprobs(choice)) : "null";
  piece_form_.write(index, std::exchange(choice.echo, {}) + text, logprobs, out);
  said_ = true;
}

// A chat's choice begins by saying who speaks.
void Answer::open(size_t index, std::string& out) {
  if (std::exchange(choices_[index].opened, true)) return;
  say(chunk({{"index", index},
             {"delta", {{"role", "assistant"}, {"content", ""}}},
             {"logprobs", nullptr},
             {"finish_reason", nullptr}}),
      out);
}

void Answer::stream_end(size_t index, std::string& out) {
  Choice& choice = choices_[index];
  ordered_json end = {{"index", index}};
  if (request_.endpoint == Endpoint::chat) {
    open(index, out);
    end["delta"] = ordered_json::object();
  } else {
    end["text"] = std::exchange(choice.echo, {});
  }
  end["logprobs"] = nullptr;
  end["finish_reason"] = choice.completion.result().finish_reason;
  choice.closed = true;
  say(chunk(std::move(end)), out);
}

void Answer::say(const ordered_json& event, std::string& out) {
  out += "data: " + text_of(event) + "\n\n";
  said_ = true;
}

const char* Answer::name_of_chunk() const {
  return request_.endpoint == Endpoint::chat ? "chat.completion.chunk" : "text_completion";
}

ordered_json Answer::chunk(ordered_json choice) const {
  ordered_json event = head(name_of_chunk());
  event["choices"] = ordered_json::array();
  if (!choice.is_null()) event["choices"].push_back(std::move(choice));
  if (request_.include_usage) event["usage"] = nullptr;
  return event;
}

// ---- whole

std::string Answer::body() {
  check(over() && !failure_, "an answer is whole when it is over");
  ordered_json all = head(request_.endpoint == Endpoint::chat ? "chat.completion" : "text_completion");
  all["choices"] = ordered_json::array();
  for (size_t i = 0; i < choices_.size(); ++i) all["choices"].push_back(whole(i));
  all["usage"] = usage();
  return text_of(all);
}

ordered_json Answer::whole(size_t index) {
  Choice& choice = choices_[index];
  const Result& result = choice.completion.result();
  ordered_json entry = {{"index", index}};
  if (request_.endpoint == Endpoint::chat) {
    entry["message"] = {{"role", "assistant"}, {"content", result.text}, {"refusal", nullptr}};
  } else {
    entry["text"] = choice.echo + result.text;
  }
  entry["logprobs"] = new_logprobs(choice);
  entry["finish_reason"] = result.finish_reason;
  return entry;
}

// ---- both

ordered_json Answer::head(const char* object) const {
  return {{"id", identity_.id},
          {"object", object},
          {"created", identity_.created},
          {"model", rules_.model},
          {"system_fingerprint", identity_.fingerprint}};
}

// Of the tokens that came since the last call; null where none are wanted.
ordered_json Answer::new_logprobs(Choice& choice) const {
  if (!request_.generation.logprobs) return nullptr;
  const auto tokens = std::span(choice.completion.result().logprobs).subspan(choice.n_logprobs);
  choice.n_logprobs += tokens.size();
  return request_.endpoint == Endpoint::chat ? chat_logprobs(tokens, model_.tokenizer())
                                             : new_text_logprobs(choice, tokens);
}

// What is echoed comes first, all at once.
ordered_json Answer::new_text_logprobs(Choice& choice, std::span<const Token> tokens) const {
  const Result& result = choice.completion.result();
  ordered_json all;
  const bool scores = wants_prompt_logprobs() && !std::exchange(choice.scored, true);
  if (scores) all = prompt_logprobs(result.prompt_ids[0], result.prompt_logprobs, model_.tokenizer());
  ordered_json more = text_logprobs(tokens, model_.tokenizer(), choice.text_offset);
  if (!scores) return more;
  append_text_logprobs(std::move(more), all);
  return all;
}

// A prompt counts once, however many choices are made of it. Times and route are those of the first choice.
ordered_json Answer::usage() const {
  int n_prompt = 0, n_cached = 0, n_completion = 0;
  for (size_t i = 0; i < choices_.size(); ++i) {
    const Usage& of_choice = choices_[i].completion.result().usage;
    n_completion += of_choice.completion_tokens;
    if (i % static_cast<size_t>(request_.n) != 0) continue;
    n_prompt += of_choice.prompt_tokens;
    n_cached += of_choice.cached_tokens;
  }
  const Result& first = choices_[0].completion.result();
  return {{"prompt_tokens", n_prompt},
          {"completion_tokens", n_completion},
          {"total_tokens", n_prompt + n_completion},
          {"prompt_tokens_details", {{"cached_tokens", n_cached}}},
          {"ms", json_of(first.ms)},
          {"route", json_of(first.route)}};
}

}  // namespace ferry
