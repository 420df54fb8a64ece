#pragma once
// Where prompts come from: a text, a file of JSON lines, or stdin. Nobody waits for stdin: a router has other things to
// do while a person or a program thinks of the next line.

#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <variant>

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

struct NoneYet {};
struct NoMore {};
using NextPrompt = std::variant<PromptEntry, NoneYet, NoMore>;

// Lines of a file descriptor, as far as they have come.
class LinesOf {
 public:
  explicit LinesOf(int fd) : fd_(fd) {}
  std::optional<std::string> next();  // nullopt: none yet, or no more
  bool ended() const { return ended_ && rest_.empty(); }

 private:
  void read_some();
  const int fd_;
  std::string rest_;
  bool ended_ = false;
};

// The prompts of the options, one by one. Error when the file cannot be read.
class PromptSource {
 public:
  explicit PromptSource(const PromptOptions& options);
  NextPrompt next();

 private:
  NextPrompt next_of_stdin();
  PromptEntry in_chat(PromptEntry entry) const;

  const bool chat_;
  const bool stdin_;
  std::ifstream file_;
  std::istringstream text_;
  PromptReader reader_;
  LinesOf lines_;
  int n_lines_ = 0;
};

}  // namespace ferry
