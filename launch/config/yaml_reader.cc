#include "launch/config/yaml_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/plain_text.h"
#include "core/base/quoted.h"
#include "launch/config/byte_size.h"
#include "launch/config/nearest.h"

namespace ferry {
namespace {

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// A name or address, with or without ":slots"; what mpirun -H takes between two commas.
bool is_host(std::string_view text) {
  const auto is_host_letter = [](char c) { return is_plain(c) || c == ':'; };
  return !text.empty() && text.size() <= 255 && text[0] != '-' && std::ranges::all_of(text, is_host_letter);
}

std::string found_in(const YAML::Node& node) {
  if (node.IsScalar()) return ferry::quoted(node.Scalar());
  if (!node.IsMap() && !node.IsSequence()) return "nothing";
  const std::string_view kind = node.IsMap() ? "map" : "list";
  return fmt::format("{} {}", node.size() == 0 ? "an empty" : "a", kind);
}

}  // namespace

YamlReader::YamlReader(const YAML::Node& map, std::string path, ConfigSource& source)
    : map_(map), path_(std::move(path)), source_(source) {
  if (!map.IsMap()) fail_value(map, path_.empty() ? "the file" : path_, "a map (key: value)");
  refuse_duplicate_keys();
}

void YamlReader::take(const YAML::Node& node, const std::string& key, std::string& value, PlainName, Required) {
  constexpr std::string_view kExpected = "a name of letters, digits, '.', '_' and '-'";
  value = scalar(node, key, kExpected);
  if (!is_plain_name(value)) fail_value(node, key, kExpected);
}

void YamlReader::take(const YAML::Node& node, const std::string& key, std::filesystem::path& value, Required) {
  value = scalar(node, key, "a file");
  if (value.empty()) fail_value(node, key, "a file");
}

void YamlReader::take(const YAML::Node& node, const std::string& key, int& value, Between<int> allowed) {
  const std::optional<int> found = number(node, allowed);
  if (!found) fail_value(node, key, fmt::format("a whole number from {} to {}", allowed.low, allowed.high));
  value = *found;
}

void YamlReader::take(const YAML::Node& node, const std::string& key, double& value, Between<double> allowed) {
  const std::optional<double> found = number(node, allowed);
  if (!found) fail_value(node, key, fmt::format("a number from {} to {}", allowed.low, allowed.high));
  value = *found;
}

void YamlReader::take(const YAML::Node& node, const std::string& key, size_t& value, Between<size_t> allowed) {
  const std::string expected = fmt::format("a size from {} to {}, such as 256MiB or 1.5GB", byte_size_text(allowed.low),
                                           byte_size_text(allowed.high));
  const std::optional<size_t> bytes = parse_byte_size(scalar(node, key, expected));
  const bool fits = bytes && *bytes >= allowed.low && *bytes <= allowed.high;
  if (!fits) fail_value(node, key, expected);
  value = *bytes;
}

void YamlReader::take(const YAML::Node& node, const std::string& key, std::optional<int>& value, Between<int> allowed) {
  value.reset();
  if (node.IsScalar() && node.Scalar() == "auto") return;
  value = number(node, allowed);
  if (!value) fail_value(node, key, fmt::format("'auto' or a whole number from {} to {}", allowed.low, allowed.high));
}

void YamlReader::take(const YAML::Node& node, const std::string& key, HostPort& value) {
  constexpr std::string_view kExpected = "host:port, such as 127.0.0.1:8000";
  const std::string& text = scalar(node, key, kExpected);
  const size_t colon = std::min(text.rfind(':'), text.size());
  const std::optional<int> port = parse_number<int>(std::string_view(text).substr(std::min(colon + 1, text.size())));
  value = {.host = text.substr(0, colon), .port = port.value_or(-1)};
  const bool fits = value.port >= 0 && value.port <= 65535 && is_host(value.host);
  if (!fits) fail_value(node, key, kExpected);
}

// true and false are YAML's other words for the same.
void YamlReader::take(const YAML::Node& node, const std::string& key, Switch& value) {
  if (node.IsScalar() && node.Scalar() == "true") {
    value = Switch::on;
  } else if (node.IsScalar() && node.Scalar() == "false") {
    value = Switch::off;
  } else {
    value = static_cast<Switch>(index_of(node, key, names_of(value)));
  }
}

void YamlReader::take(const YAML::Node& node, const std::string& key, std::vector<std::string>& hosts) {
  const bool filled = node.IsSequence() && node.size() > 0;
  if (!filled) fail_value(node, key, "a list of hosts, such as [node1, node2]");
  hosts.clear();
  for (const YAML::Node& item : node) {
    hosts.push_back(scalar(item, key, "a host"));
    if (!is_host(hosts.back())) fail_value(item, key, "a host");
  }
}

void YamlReader::take(const YAML::Node& node, const std::string& key, std::vector<GroupConfig>& groups, Required) {
  const bool filled = node.IsSequence() && node.size() > 0;
  if (!filled) fail_value(node, key, "a list of groups, each {name: …, role: …, tp: …}");
  if (node.size() > kMaxGroups) fail(node, fmt::format("{}: at most {} groups", key, kMaxGroups));
  groups.clear();
  for (const YAML::Node& item : node) {
    const std::string path = fmt::format("{}[{}]", key, groups.size());
    source_.lines[path] = line_of(item);
    YamlReader(item, path, source_).read(groups.emplace_back());
  }
}

template <class Number>
std::optional<Number> YamlReader::number(const YAML::Node& node, Between<Number> allowed) const {
  const std::optional<Number> found = node.IsScalar() ? parse_number<Number>(node.Scalar()) : std::nullopt;
  const bool fits = found && *found >= allowed.low && *found <= allowed.high;  // which NaN does not
  return fits ? found : std::nullopt;
}

const std::string& YamlReader::scalar(const YAML::Node& node, const std::string& key, std::string_view expected) const {
  if (!node.IsScalar()) fail_value(node, key, expected);
  return node.Scalar();
}

size_t YamlReader::index_of(const YAML::Node& node, const std::string& key,
                            std::span<const std::string_view> names) const {
  const std::string allowed = fmt::format("one of {}", fmt::join(names, ", "));
  const auto it = std::ranges::find(names, scalar(node, key, allowed));
  if (it == names.end()) fail_value(node, key, allowed);
  return static_cast<size_t>(it - names.begin());
}

void YamlReader::refuse_unknown_keys() const {
  for (const auto& entry : map_) {
    const std::string name = scalar(entry.first, path_.empty() ? "a key" : "a key of " + path_, "a name");
    if (std::ranges::find(known_, name) != known_.end()) continue;
    const std::string where = path_.empty() ? "" : fmt::format(" in '{}'", path_);
    fail(entry.first,
         fmt::format("unknown key {}{}; did you mean '{}'?", ferry::quoted(name), where, nearest(name, known_)));
  }
}

void YamlReader::refuse_duplicate_keys() const {
  std::map<std::string, int> first;  // key → line
  for (const auto& entry : map_) {
    if (!entry.first.IsScalar()) continue;  // refused as unknown
    const auto [it, is_new] = first.emplace(entry.first.Scalar(), line_of(entry.first));
    if (is_new) continue;
    fail(entry.first, fmt::format("{} is given twice (first on line {})", path_of(it->first), it->second));
  }
}

void YamlReader::refuse_missing_keys() const {
  if (!missing_.empty()) fail(map_, fmt::format("{} is missing", path_of(missing_.front())));
}

void YamlReader::fail(const YAML::Node& node, std::string_view what) const {
  throw Error(fmt::format("{}:{}: {}", source_.file, line_of(node), what));
}

void YamlReader::fail_value(const YAML::Node& node, const std::string& key, std::string_view expected) const {
  const std::string what = fmt::format("{}: expected {}, found {}", key, expected, found_in(node));
  // Where there is no value, the parser stands behind it, perhaps lines away: the key's line says more.
  if (node.IsNull() && source_.lines.contains(key)) throw Error(fmt::format("{}: {}", source_.place(key), what));
  fail(node, what);
}

std::string YamlReader::path_of(std::string_view key) const {
  return path_.empty() ? std::string(key) : fmt::format("{}.{}", path_, key);
}

}  // namespace ferry
