#include "launch/front/front.h"

#include "core/base/error.h"
#include "core/base/hash.h"

namespace ferry {

Front::Front(const TextModel& model, Router& router, Source prompts, FrontSettings settings, Sinks sinks)
    : model_(model), router_(router), prompts_(std::move(prompts)), settings_(settings), sinks_(std::move(sinks)) {}

void Front::turn() {
  while (!end_of_input_ && n_running_ < settings_.window) {
    const NextPrompt next = prompts_();
    if (std::holds_alternative<NoneYet>(next)) break;
    if (const auto* entry = std::get_if<PromptEntry>(&next)) {
      submit(*entry);
    } else {
      end_of_input_ = true;
    }
  }
  router_.tick();
  for (const RequestEvent& event : router_.take_events()) take(event);
  print_in_order();
  if (sinks_.on_text && !open_.empty() && open_.begin()->second.completion) {
    sinks_.on_text(open_.begin()->second.completion->take_new_text());
  }
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
  Request request = request_of(prompt.generation, model_.tokens_of(prompt.prompt),
                               {.max_tokens = settings_.max_tokens, .seed = hash_of(prompt.id, id)});
  request.id = id;
  Open open = {.stops = std::make_unique<const StopStrings>(prompt.generation.stop), .completion = {}, .result = {}};
  open.completion.emplace(prompt.id, request, *open.stops, model_.tokenizer());
  router_.submit(std::move(request), settings_.budget);
  open_.emplace(next_id_++, std::move(open));
  ++n_running_;
}

void Front::refuse(const std::string& id, const std::string& why) {
  Open open = {.stops = {}, .completion = {}, .result = {}, .over = true};
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
    Open& open = open_.begin()->second;
    if (sinks_.on_text && open.completion) sinks_.on_text(open.completion->take_new_text());
    const Result& result = open.result;
    ++n_results_;
    if (!result.error.empty()) ++n_failed_;
    sinks_.on_result(result);
    open_.erase(open_.begin());
  }
}

}  // namespace ferry
