#include "launch/io/json_line.h"

#include <algorithm>
#include <set>
#include <vector>

#include "core/base/error.h"
#include "core/base/quoted.h"

namespace ferry {
namespace {

using nlohmann::json;

constexpr int kMostLevels = 8;  // of nested lists and objects; a prompt has three

// Looks at a text while it is parsed, so that what is refused costs nothing.
class Guard {
 public:
  explicit Guard(int most_levels) : most_levels_(most_levels), names_(static_cast<size_t>(most_levels) + 2) {}

  bool operator()(int depth, json::parse_event_t event, const json& parsed) {
    if (depth > most_levels_) throw Error(str("nested deeper than ", most_levels_, " levels"));
    const auto level = static_cast<size_t>(depth);
    if (event == json::parse_event_t::object_start) names_[level + 1].clear();
    if (event == json::parse_event_t::key) add_name(names_[level], parsed.get_ref<const std::string&>());
    return true;
  }

 private:
  static void add_name(std::set<std::string>& names, const std::string& name) {
    if (!names.insert(name).second) throw Error(str("field ", ferry::quoted(name), " is given twice"));
  }

  const int most_levels_;
  std::vector<std::set<std::string>> names_;  // of the object that is open at each level
};

// The library's message without its own prefix (its line is always 1) and without the text it last read, which may be
// the whole line.
std::string reason_of(const json::exception& e) {
  constexpr size_t kLongest = 200;
  std::string_view what = e.what();
  what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
  const size_t column = what.find("column ");
  if (what.starts_with("parse error at line 1, ")) what.remove_prefix(std::min(column, what.size()));
  return std::string(what.substr(0, what.find("; last read")).substr(0, kLongest));
}

}  // namespace

std::optional<std::string> next_line(std::istream& in) {
  constexpr int kEnd = std::char_traits<char>::eof();
  std::streambuf& bytes = *in.rdbuf();
  if (bytes.sgetc() == kEnd) return std::nullopt;
  std::string line;
  for (int c = bytes.sbumpc(); c != kEnd && c != '\n'; c = bytes.sbumpc()) {
    if (line.size() <= kMaxLineBytes) line += static_cast<char>(c);
  }
  return line;
}

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

json parse_json_line(std::string_view text) { return parse_json(text, kMostLevels); }

json parse_json(std::string_view text, int most_levels) {
  if (text.size() > kMaxLineBytes) throw Error("longer than 16 MiB");
  Guard guard(most_levels);
  try {
    return json::parse(text, std::ref(guard));
  } catch (const json::exception& e) {
    throw Error("not valid JSON: " + reason_of(e));
  }
}

}  // namespace ferry
