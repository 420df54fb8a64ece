#pragma once
// Reads one map of a YAML file into a struct by walking the struct's table of keys (cluster_fields.h), strictly.

#include <yaml-cpp/yaml.h>

#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/base/error.h"
#include "launch/config/cluster_fields.h"

namespace ferry {

class YamlReader {
 public:
  // `path` is what stands before the keys of this map: "", "kv", "groups[1]". Error when `map` is no map or has a key
  // twice.
  YamlReader(const YAML::Node& map, std::string path, ConfigSource& source);

  template <class Struct>
  void read(Struct& out) {
    fields(*this, out);
    refuse_unknown_keys();
    refuse_missing_keys();
  }

  // The same for what is given in part.
  template <class Struct>
  void read_some(Struct& out) {
    fields(*this, out);
    refuse_unknown_keys();
  }

  // One line of the table.
  template <class Value, class... Allowed>
  void operator()(std::string_view key, Value& value, Allowed... allowed) {
    known_.push_back(key);
    for (const auto& entry : map_) {
      // A name that is no text (a list, a map) is refused with the unknown ones.
      const bool found = entry.first.IsScalar() && entry.first.Scalar() == key;
      if (found) return set(entry.first, entry.second, value, allowed...);
    }
    if constexpr ((std::is_same_v<Allowed, Required> || ...)) missing_.push_back(key);
  }

 private:
  template <class Value, class... Allowed>
  void set(const YAML::Node& name, const YAML::Node& node, Value& value, Allowed... allowed) {
    const std::string key = path_of(name.Scalar());
    source_.lines[key] = line_of(name);
    take(node, key, value, allowed...);
  }

  // How each type of field is written.
  void take(const YAML::Node& node, const std::string& key, std::string& value, PlainName, Required = {});
  void take(const YAML::Node& node, const std::string& key, std::filesystem::path& value, Required = {});
  void take(const YAML::Node& node, const std::string& key, int& value, Between<int> allowed);
  void take(const YAML::Node& node, const std::string& key, double& value, Between<double> allowed);
  void take(const YAML::Node& node, const std::string& key, size_t& value, Between<size_t> allowed);
  void take(const YAML::Node& node, const std::string& key, std::optional<int>& value, Between<int> allowed);
  void take(const YAML::Node& node, const std::string& key, HostPort& value);
  void take(const YAML::Node& node, const std::string& key, Switch& value);
  void take(const YAML::Node& node, const std::string& key, std::vector<std::string>& hosts);
  void take(const YAML::Node& node, const std::string& key, std::vector<GroupConfig>& groups, Required);

  template <class Enum, class... Allowed>
  requires std::is_enum_v<Enum>
  void take(const YAML::Node& node, const std::string& key, Enum& value, Allowed...) {
    const auto names = names_of(value);
    value = static_cast<Enum>(index_of(node, key, names));
  }

  template <class Struct>
  requires std::is_class_v<Struct>
  void take(const YAML::Node& node, const std::string& key, Struct& value) {
    YamlReader(node, key, source_).read(value);
  }

  template <class Number>
  std::optional<Number> number(const YAML::Node& node, Between<Number> allowed) const;

  const std::string& scalar(const YAML::Node& node, const std::string& key, std::string_view expected) const;
  size_t index_of(const YAML::Node& node, const std::string& key, std::span<const std::string_view> names) const;
  void refuse_unknown_keys() const;
  void refuse_missing_keys() const;
  void refuse_duplicate_keys() const;
  [[noreturn]] void fail(const YAML::Node& node, std::string_view what) const;
  [[noreturn]] void fail_value(const YAML::Node& node, const std::string& key, std::string_view expected) const;
  std::string path_of(std::string_view key) const;
  static int line_of(const YAML::Node& node) { return node.Mark().line + 1; }

  YAML::Node map_;
  std::string path_;
  ConfigSource& source_;
  std::vector<std::string_view> known_;
  std::vector<std::string_view> missing_;
};

}  // namespace ferry
