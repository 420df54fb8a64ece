#pragma once
// `ferry tokenize`: text to ids and back, line by line.

#include <istream>
#include <ostream>

#include "core/text/tokenizer.h"
#include "launch/commands/command.h"

namespace ferry {

void add_tokenize(CLI::App& app, Chosen& chosen);

enum class TokenizeDirection { text_to_ids, ids_to_text };

// One JSON value a line in, one a line out; blank lines are passed over. `special`: names of control tokens in a text
// are those tokens; in ids they are shown as their names. A line that cannot be answered is named in `errors`, and the
// exit code says that there was one.
struct Tokenize {
  const Tokenizer& tokenizer;
  TokenizeDirection direction = TokenizeDirection::text_to_ids;
  SpecialTokens special = SpecialTokens::plain;

  int lines(std::istream& in, std::ostream& out, std::ostream& errors) const;
  // Error: the line is no text (no list of ids of the vocabulary).
  std::string line(const std::string& json) const;
};

}  // namespace ferry
