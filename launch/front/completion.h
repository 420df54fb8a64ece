#pragma once
// One answer while it grows: tokens become text, stop strings are looked for, and what a Result says of it is kept.

#include <string>
#include <vector>

#include "core/router/router.h"
#include "core/text/detokenizer.h"
#include "core/text/stop_matcher.h"
#include "launch/io/results.h"

namespace ferry {

Route route_of(const Account& account);

class Completion {
 public:
  // `stops` and `tokenizer` outlive it; other answers may share them.
  Completion(std::string id, const Request& request, const StopStrings& stops, const Tokenizer& tokenizer);

  // Takes what the router tells. True: the answer is over; when a stop string ended it, the router does not know yet.
  bool append(const RequestEvent& event);

  // Text that came since the last call, to be shown as it comes.
  std::string take_new_text();

  bool ended_by_stop_string() const { return matcher_.stop().has_value(); }
  // Text, tokens and logprobs as they come; the rest when the answer is over.
  const Result& result() const { return result_; }

 private:
  void append(const Token& token);
  void end(const RequestEvent& event);
  void show(const std::string& text);

  const bool wants_logprobs_;
  const size_t min_tokens_;  // stop strings are looked for after these
  const Tokenizer& tokenizer_;
  Detokenizer detokenizer_;
  StopMatcher matcher_;
  Result result_;
  size_t n_taken_ = 0;  // bytes of the text
};

}  // namespace ferry
