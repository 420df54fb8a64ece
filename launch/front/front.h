#pragma once
// Between people and the router: prompts become requests, events become results, in the order of the input.

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "launch/front/completion.h"
#include "launch/front/prompt_source.h"
#include "launch/front/text_model.h"

namespace ferry {

struct FrontSettings {
  int max_tokens = 128;  // where a prompt does not say
  Duration budget;       // of a request, from submission
  int window = 64;       // requests that the router has at a time
};

// Sends prompts through a router and hands out the results in input order.
class Front {
 public:
  using Source = std::function<NextPrompt()>;
  struct Sinks {
    std::function<void(const Result& result)> on_result;
    std::function<void(std::string_view text)> on_text;  // of the first open answer, as it comes; may be empty
  };

  // All outlive the front.
  Front(const TextModel& model, Router& router, Source prompts, FrontSettings settings, Sinks sinks);

  // Submits what there is room for, takes the router's events. Called turn by turn with the router's tick.
  void turn();
  bool done() const { return end_of_input_ && open_.empty(); }
  int n_failed() const { return n_failed_; }
  int n_results() const { return n_results_; }

 private:
  void submit(const PromptEntry& entry);
  void submit(const PromptLine& prompt);
  void take(const RequestEvent& event);
  void refuse(const std::string& id, const std::string& why);
  void print_in_order();

  const TextModel& model_;
  Router& router_;
  const Source prompts_;
  const FrontSettings settings_;
  const Sinks sinks_;

  struct Open {
    std::unique_ptr<const StopStrings> stops;  // stay where the completion found them
    std::optional<Completion> completion;      // none for a prompt that was refused
    Result result;
    bool over = false;
  };
  std::map<RequestId, Open> open_;  // in input order, from the first that is not printed
  int n_running_ = 0;
  RequestId next_id_ = 1;
  bool end_of_input_ = false;
  int n_failed_ = 0;
  int n_results_ = 0;
};

}  // namespace ferry
