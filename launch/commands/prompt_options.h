#pragma once
// The options by which generate, batch, cluster and router are given prompts, and how their answers are printed.

#include "launch/commands/command.h"
#include "launch/front/prompt_source.h"

namespace ferry {

void add_answer_options(CLI::App& command, PromptOptions& options);  // all but where the prompts are
void add_metrics_option(CLI::App& command, PromptOptions& options);
void add_prompt_options(CLI::App& command, PromptOptions& options);  // with --prompts

}  // namespace ferry
