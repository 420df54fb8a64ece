#include "launch/commands/prompt_options.h"

namespace ferry {

void add_prompt_options(CLI::App& command, PromptOptions& options) {
  command.add_option("--prompts", options.file, "JSON lines, one prompt each; - reads stdin");
  add_answer_options(command, options);
}

void add_answer_options(CLI::App& command, PromptOptions& options) {
  command.add_option("--max-tokens", options.max_tokens, "Tokens to generate, where a prompt does not say")
      ->capture_default_str();
  command.add_flag("--chat", options.chat, "Texts are what a user says: use the model's chat format");
  command.add_flag("--json", options.json, "One JSON object a result");
}

void add_metrics_option(CLI::App& command, PromptOptions& options) {
  command.add_option("--metrics", options.metrics,
                     "Keep Prometheus metrics in this file; waits until all pages are free");
}

}  // namespace ferry
