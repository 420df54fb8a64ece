#pragma once
// Text that can be a part of anything: of a command line, a file's name, a log, a label in the metrics.

#include <algorithm>
#include <string_view>

namespace ferry {

constexpr bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

constexpr bool is_plain(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return is_plain(c); });
}

// What a person may call something.
constexpr bool is_plain_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] != '-' && is_plain(text);
}

}  // namespace ferry
