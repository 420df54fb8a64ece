#pragma once
// Ends a stream of text at the first of several stop strings, wherever the borders of tokens fall. Text that may be the
// beginning of a stop string waits. Time is linear in the text, whatever the number and the length of the stops.

#include <optional>
#include <string>
#include <string_view>

#include "core/text/stop_strings.h"

namespace ferry {

class StopMatcher {
 public:
  // `stops` outlives it, and other matchers may read them as well. No stops: nothing ever waits.
  explicit StopMatcher(const StopStrings& stops) : stops_(&stops) {}
  explicit StopMatcher(const StopStrings&&) = delete;  // would be gone before the first text

  // The text that may be shown now: never a part of a stop string. Nothing more once a stop was found.
  std::string append(std::string_view text);

  // The text is over: what still waits.
  std::string flush();

  // The stop that was found: the first to be complete, and of those complete at the same byte the longest.
  const std::optional<std::string>& stop() const { return stop_; }

 private:
  std::string shown_but(size_t n_waiting);

  const StopStrings* stops_;
  int state_ = StopStrings::kStart;
  std::string text_;    // its end waits
  size_t n_shown_ = 0;  // bytes of text_ that were given out
  std::optional<std::string> stop_;
};

}  // namespace ferry
