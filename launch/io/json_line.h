#pragma once
// JSON lines from people and programs, which are not trusted.

#include <istream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ferry {

constexpr size_t kMaxLineBytes = size_t{16} << 20;

// The next line without its end, however long it is: of one that is longer than kMaxLineBytes, the beginning (a byte
// longer than that). nullopt: the end of the stream.
std::optional<std::string> next_line(std::istream& in);

bool is_blank(std::string_view text);

// Error, in words for one line, when the text is no JSON or too long, nests deeper than any line should, or names a
// field of an object twice.
nlohmann::json parse_json_line(std::string_view text);

// The same for JSON that may nest deeper.
nlohmann::json parse_json(std::string_view text, int most_levels);

}  // namespace ferry
