#include "launch/front/front.h"

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/model/gguf_text.h"

namespace ferry {

TextModel::TextModel(const ModelFile& file, const std::string& chat_format)
    : data_(tokenizer_data_of(file.gguf)), chat_format_(chat_format), tokenizer_(data_) {
  if (tokenizer_.n_vocab() > file.config.n_vocab) {
    throw Error(str(file.gguf.name(), ": ", tokenizer_.n_vocab(), " tokens for a model of ", file.config.n_vocab));
  }
  if (chat_format != "auto") ChatFormat(data_, chat_format);  // an unknown name is refused at start
}

std::vector<int> TextModel::end_tokens() const {
  std::vector<int> ends;
  for (int token = 0; token < tokenizer_.n_vocab(); ++token) {
    if (tokenizer_.is_end(token)) ends.push_back(token);
  }
  return ends;
}

std::vector<int> TextModel::tokens_of(const PromptLine& prompt) const {
  if (const auto* ids = std::get_if<std::vector<int>>(&prompt.prompt)) return *ids;
  if (const auto* text = std::get_if<std::string>(&prompt.prompt)) {
    return tokenizer_.encode_prompt(*text, SpecialTokens::parsed);
  }
  const ChatFormat format = chat_format_ == "auto" ? ChatFormat(data_) : ChatFormat(data_, chat_format_);
  std::vector<Message> messages;
  for (const auto& m : std::get<std::vector<PromptLine::Message>>(prompt.prompt))
    messages.push_back({m.role, m.content});
  return tokenizer_.encode(format.render(messages, GenerationPrompt::add));
}

Front::Front(const TextModel& model, Router& router, PromptReader& prompts, FrontSettings settings, OnResult on_result)
    : model_(model), router_(router), prompts_(prompts), settings_(settings), on_result_(std::move(on_result)) {}

void Front::turn() {
  while (!end_of_input_ && n_running_ < settings_.window) {
    if (const auto entry = prompts_.next()) {
      submit(*entry);
    } else {
      end_of_input_ = true;
    }
  }
  router_.tick();
  for (const RequestEvent& event : router_.take_events()) take(event);
  print_in_order();
}

void Front::submit(const PromptEntry& entry) {
  if (const auto* bad = std::get_if<BadLine>(&entry)) return refuse(bad->id, str("line ", bad->line, ": ", bad->why));
  const auto& prompt = std::get<PromptLine>(entry);
  try {
    submit(prompt);
  } catch (const Error& e) {
    refuse(prompt.id, str("line ", prompt.line, ": ", e.what()));
  }
}

void Front::submit(const PromptLine& prompt) {
  const RequestId id = next_id_;
  Request request = {.id = id,
                     .prompt = model_.tokens_of(prompt),
                     .max_tokens = prompt.max_tokens.value_or(settings_.max_tokens),
                     .sampling = {.temperature = prompt.temperature.value_or(0),
                                  .top_k = prompt.top_k.value_or(0),
                                  .top_p = prompt.top_p.value_or(1),
                                  .min_p = prompt.min_p.value_or(0),
                                  .seed = prompt.seed.value_or(hash_of(prompt.id, id))},
                     .n_logprobs = prompt.logprobs > 0 ? prompt.logprobs : -1,
                     .ignore_eos = prompt.ignore_eos};
  Open open = {.completion = Completion(prompt.id, request, prompt.stop, model_.tokenizer()), .result = {}};
  router_.submit(std::move(request), settings_.budget);
  open_.emplace(next_id_++, std::move(open));
  ++n_running_;
}

void Front::refuse(const std::string& id, const std::string& why) {
  Open open = {.completion = {}, .result = {}, .over = true};
  open.result.id = id;
  open.result.finish_reason = "error";
  open.result.error = why;
  open_.emplace(next_id_++, std::move(open));
}

void Front::take(const RequestEvent& event) {
  const auto found = open_.find(event.id);
  if (found == open_.end() || found->second.over) return;
  Open& open = found->second;
  if (!open.completion->append(event)) return;
  if (!event.last()) router_.cancel(event.id);  // a stop string ended it
  open.over = true;
  open.result = open.completion->result();
  --n_running_;
}

void Front::print_in_order() {
  while (!open_.empty() && open_.begin()->second.over) {
    const Result& result = open_.begin()->second.result;
    ++n_results_;
    if (!result.error.empty()) ++n_failed_;
    on_result_(result);
    open_.erase(open_.begin());
  }
}

}  // namespace ferry
