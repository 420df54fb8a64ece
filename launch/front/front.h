#pragma once
// Between people and the router: prompts become requests, events become results, in the order of the input.

#include <functional>
#include <istream>
#include <map>
#include <optional>
#include <string>
#include <variant>

#include "core/model/model_file.h"
#include "core/text/chat.h"
#include "core/text/tokenizer.h"
#include "launch/front/completion.h"
#include "launch/io/prompts.h"

namespace ferry {

// The text side of a model.
class TextModel {
 public:
  // chat_format: "auto", or a name of ChatFormat.
  TextModel(const ModelFile& file, const std::string& chat_format);

  const Tokenizer& tokenizer() const { return tokenizer_; }
  std::vector<int> end_tokens() const;

  // The tokens of a prompt. Error when it cannot be one: messages for a model without a known chat format, no UTF-8.
  std::vector<int> tokens_of(const PromptLine& prompt) const;

 private:
  const TokenizerData data_;
  const std::string chat_format_;
  Tokenizer tokenizer_;
};

struct FrontSettings {
  int max_tokens = 128;  // where a prompt does not say
  Duration budget;       // of a request, from submission
  int window = 64;       // requests that the router has at a time
};

// Sends prompts through a router and hands out the results in input order. Pure but for the stream it reads.
class Front {
 public:
  using OnResult = std::function<void(const Result& result)>;

  // All outlive the front.
  Front(const TextModel& model, Router& router, PromptReader& prompts, FrontSettings settings, OnResult on_result);

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
  PromptReader& prompts_;
  const FrontSettings settings_;
  OnResult on_result_;

  struct Open {
    std::optional<Completion> completion;  // none for a prompt that was refused
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
