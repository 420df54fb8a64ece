#pragma once
// Tokens to text as they come. A token may end inside a character: its bytes wait until the character is whole.

#include <string>

#include "core/text/tokenizer.h"

namespace ferry {

enum class ControlTokens { hidden, shown };

class Detokenizer {
 public:
  explicit Detokenizer(const Tokenizer& tokenizer, ControlTokens control = ControlTokens::hidden)
      : tokenizer_(tokenizer), control_(control) {}

  // The text that may be shown now, always valid UTF-8; bytes that can no longer become a character are U+FFFD.
  std::string append(int token);

  // The tokens are over: what still waits, as U+FFFD.
  std::string flush();

 private:
  const Tokenizer& tokenizer_;
  ControlTokens control_;
  std::string waiting_;  // the beginning of a character
};

}  // namespace ferry
