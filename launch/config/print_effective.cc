// Prints a configuration by walking the same table that reads it.

#include <fmt/format.h>

#include <ostream>

#include "launch/config/byte_size.h"
#include "launch/config/cluster_fields.h"

namespace ferry {
namespace {

class Printer {
 public:
  Printer(std::string path, const ConfigSource& source, std::ostream& out)
      : path_(std::move(path)), source_(source), out_(out) {}

  template <class Value, class... Allowed>
  void operator()(std::string_view key, Value& value, Allowed...) {
    print(path_ + std::string(key), value);
  }

 private:
  void print(const std::string& key, std::vector<GroupConfig>& groups) {
    for (size_t i = 0; i < groups.size(); ++i) print(fmt::format("{}[{}]", key, i), groups[i]);
  }

  template <class Value>
  void print(const std::string& key, Value& value) {
    if constexpr (requires(Printer & printer) { fields(printer, value); }) {
      Printer inner(key + ".", source_, out_);
      fields(inner, value);
    } else {
      const std::string from = source_.lines.contains(key) ? source_.place(key) : "default";
      out_ << fmt::format("{}: {} ({})\n", key, written(value), from);
    }
  }

  static std::string written(const std::string& value) { return value; }
  static std::string written(const std::filesystem::path& value) { return value.empty() ? "none" : value.string(); }
  static std::string written(int value) { return fmt::format("{}", value); }
  static std::string written(double value) { return fmt::format("{}", value); }
  static std::string written(size_t value) { return byte_size_text(value); }
  static std::string written(const std::optional<int>& value) { return value ? fmt::format("{}", *value) : "auto"; }
  static std::string written(const HostPort& value) { return value.text(); }
  static std::string written(const std::vector<std::string>& value) {
    return fmt::format("[{}]", fmt::join(value, ", "));
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  static std::string written(Enum value) { return std::string(config_name(value)); }

  const std::string path_;
  const ConfigSource& source_;
  std::ostream& out_;
};

}  // namespace

void print_effective(ClusterConfig config, std::ostream& out) {
  const ConfigSource source = config.source;
  Printer printer("", source, out);
  fields(printer, config);
}

}  // namespace ferry
