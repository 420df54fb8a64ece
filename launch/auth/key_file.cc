#include "launch/auth/key_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>
#include <sstream>

#include "core/base/error.h"
#include "core/base/plain_text.h"
#include "core/base/quoted.h"
#include "launch/auth/guarded_file.h"

namespace ferry {

namespace {

constexpr size_t kMostBytes = size_t{16} << 20;
constexpr double kLeastWeight = 0.001, kMostWeight = 1000;
constexpr int kMostStreams = 1 << 24;
constexpr std::string_view kForm = "expected NAME sha256:SALT:HASH, then weight=, max_streams=, max_queued= or admin";

struct Place {
  const std::string& file;
  int line = 0;
  [[noreturn]] void fail(std::string_view why) const { throw Error(fmt::format("{}:{}: {}", file, line, why)); }
};

bool is_hex(std::string_view text, size_t length) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == length && std::ranges::all_of(text, is_digit);
}

template <class Number>
Number number(std::string_view text, Number low, Number high, const Place& place) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool fits = error == std::errc{} && end == text.data() + text.size() && value >= low && value <= high;
  if (!fits) place.fail(fmt::format("{} is no number from {} to {}", ferry::quoted(text), low, high));
  return value;
}

void set_option(ApiKey& key, std::string_view word, const Place& place) {
  const size_t equals = std::min(word.find('='), word.size());
  const std::string_view name = word.substr(0, equals), value = word.substr(std::min(equals + 1, word.size()));
  if (name == "weight") {
    key.weight = number(value, kLeastWeight, kMostWeight, place);
  } else if (name == "max_streams") {
    key.max_streams = number(value, 1, kMostStreams, place);
  } else if (name == "max_queued") {
    key.max_queued = number(value, 1, kMostStreams, place);
  } else if (word == "admin") {
    key.admin = true;
  } else {
    place.fail(str("unknown ", ferry::quoted(name), "; ", kForm));
  }
}

bool is_blank(std::string_view line) {
  const size_t first = line.find_first_not_of(" \t\r");
  return first == std::string_view::npos || line[first] == '#';
}

ApiKey parse_line(const std::string& line, const Place& place) {
  std::istringstream words(line);
  ApiKey key;
  std::string secret;
  words >> key.name >> secret;
  if (!is_plain_name(key.name))
    place.fail(str(ferry::quoted(key.name), " is no name of letters, digits, '.', '_' and '-'"));
  const std::string_view form = secret;
  const bool fits = form.starts_with("sha256:") && form.size() == 7 + 16 + 1 + 64 && form[23] == ':' &&
                    is_hex(form.substr(7, 16), 16) && is_hex(form.substr(24), 64);
  if (!fits) place.fail(kForm);  // and not what stands there: it may be a key that somebody pasted
  key.salt = secret.substr(7, 16);
  key.hash = secret.substr(24);
  for (std::string word; words >> word;) set_option(key, word, place);
  return key;
}

// Lines with their ends; what is no key keeps its place.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::string joined(const std::vector<std::string>& lines) { return fmt::format("{}\n", fmt::join(lines, "\n")); }

bool has(const std::vector<ApiKey>& keys, const std::string& name) {
  return std::ranges::find(keys, name, &ApiKey::name) != keys.end();
}

}  // namespace

std::vector<ApiKey> parse_keys(const std::string& text, const std::string& file) {
  std::vector<ApiKey> keys;
  std::set<std::string> names, salts;
  Place place{.file = file};
  for (const std::string& line : lines_of(text)) {
    ++place.line;
    if (is_blank(line)) continue;
    const ApiKey& key = keys.emplace_back(parse_line(line, place));
    if (!names.insert(key.name).second) place.fail(str("a second key is called ", key.name));
    if (!salts.insert(key.salt).second) place.fail(str(key.name, " has the salt of another key"));
  }
  return keys;
}

std::string line_of(const ApiKey& key) {
  std::string line = fmt::format("{} sha256:{}:{}", key.name, key.salt, key.hash);
  if (key.weight != 1) line += fmt::format(" weight={}", key.weight);
  if (key.max_streams) line += fmt::format(" max_streams={}", *key.max_streams);
  if (key.max_queued) line += fmt::format(" max_queued={}", *key.max_queued);
  if (key.admin) line += " admin";
  return line;
}

std::vector<ApiKey> load_keys(const std::filesystem::path& file) {
  return parse_keys(read_guarded(file, {.most_bytes = kMostBytes, .forbidden_mode = kOthersWrite}), file.string());
}

void add_key(const std::filesystem::path& file, const ApiKey& key) {
  Place place{.file = file.native()};
  const ApiKey as_read = parse_line(line_of(key), place);
  rewrite_guarded(file, [&](const std::string& text) {
    if (has(parse_keys(text, file.string()), key.name)) {
      throw Error(str(file.string(), ": there is a key ", key.name, " already; `ferry keys remove` takes it away"));
    }
    std::vector<std::string> lines = lines_of(text);
    lines.push_back(line_of(as_read));
    return joined(lines);
  });
}

void remove_key(const std::filesystem::path& file, const std::string& name) {
  if (!std::filesystem::exists(file)) throw Error(str("there is no file ", file.string()));
  rewrite_guarded(file, [&](const std::string& text) {
    if (!has(parse_keys(text, file.string()), name))
      throw Error(str(file.string(), ": no key is called ", ferry::quoted(name)));
    std::vector<std::string> lines = lines_of(text);
    std::erase_if(lines, [&](const std::string& line) {
      return !is_blank(line) && parse_line(line, Place{.file = file.native()}).name == name;
    });
    return joined(lines);
  });
}

}  // namespace ferry
