#pragma once
// Prompts as people hand them in: JSON lines, checked one by one. A line that is no prompt is an answer of its own (its
// number and the reason); the others go on.

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/text/chat.h"
#include "launch/io/generation.h"

namespace ferry {

using Prompt = std::variant<std::string, std::vector<Message>, std::vector<int>>;  // text, messages or token ids

struct PromptLine {
  int line = 0;    // from 1
  std::string id;  // "line-3" where the line has none
  Prompt prompt;
  Generation generation;
};

struct BadLine {
  int line = 0;
  std::string id;  // what the line says, where that much could be read; else "line-3"
  std::string why;
};

using PromptEntry = std::variant<PromptLine, BadLine>;

PromptEntry parse_prompt(const std::string& json, int line);

// Yields the lines of a stream; blank ones are passed over, but counted.
class PromptReader {
 public:
  explicit PromptReader(std::istream& in) : in_(in) {}
  std::optional<PromptEntry> next();  // nullopt: the end

 private:
  std::istream& in_;
  int line_ = 0;
};

std::vector<PromptEntry> read_prompts(std::istream& in);

}  // namespace ferry
