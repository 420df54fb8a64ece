#include "core/text/stop_matcher.h"

#include <utility>

namespace ferry {

std::string StopMatcher::append(std::string_view text) {
  if (stop_) return {};
  for (const char byte : text) {
    text_ += byte;
    state_ = stops_->next_state(state_, byte);
    if (const size_t length = stops_->stop_length(state_)) {
      stop_ = text_.substr(text_.size() - length);
      std::string shown = shown_but(length);
      text_.clear();
      return shown;
    }
  }
  return shown_but(stops_->n_waiting(state_));
}

std::string StopMatcher::flush() {
  state_ = StopStrings::kStart;
  return shown_but(0);
}

// Shows what is there but for the last bytes. What was shown goes when it is the larger part of the text: moving the
// rest each time would cost a long stop string's length for each token.
std::string StopMatcher::shown_but(size_t n_waiting) {
  const size_t end = text_.size() - n_waiting;
  std::string shown = text_.substr(n_shown_, end - n_shown_);
  n_shown_ = end;
  if (n_shown_ > text_.size() / 2) text_.erase(0, std::exchange(n_shown_, 0));
  return shown;
}

}  // namespace ferry
