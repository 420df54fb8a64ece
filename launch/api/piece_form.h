#pragma once
// The form of a stream's pieces: their events differ in a text and a number, so
// that what is the same in all of them is written once for a request, and no
// JSON is built for each token.

#include <string>
#include <string_view>

#include "launch/api/completion_request.h"

namespace ferry {

// Appends the text as JSON has it.
void append_json_string(std::string_view text, std::string& out);

class PieceForm {
 public:
  // `head`: what every event begins with, as a JSON object.
  PieceForm(const std::string& head, const CompletionRequest& request);

  // Appends the event that tells this text of that choice; `logprobs` is JSON.
  void write(size_t choice, std::string_view text, std::string_view logprobs, std::string& out) const;

 private:
  std::string begin_, before_text_, after_text_, end_;
};

}  // namespace ferry
