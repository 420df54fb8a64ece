#pragma once
// Where prompts come from: a text, a file of JSON lines, or stdin.

#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "launch/io/prompts.h"

namespace ferry {

struct PromptOptions {
  std::string text;   // a single prompt
  std::string file;   // instead of it: JSON lines; "-": stdin
  bool chat = false;  // texts are what a user says
  int max_tokens = 128;
  bool json = false;    // results
  std::string metrics;  // file, rewritten while the router works; empty: none
};

// The prompts of the options, one by one. Error when the file cannot be read.
class PromptSource {
 public:
  explicit PromptSource(const PromptOptions& options);
  std::optional<PromptEntry> next();

 private:
  const bool chat_;
  std::ifstream file_;
  std::istringstream text_;
  PromptReader reader_;
};

}  // namespace ferry
