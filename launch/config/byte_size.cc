#include "launch/config/byte_size.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

namespace ferry {
namespace {

struct Unit {
  std::string_view name;
  size_t bytes;
};

constexpr std::array<Unit, 10> kUnits = {{{"TiB", size_t{1} << 40},
                                          {"GiB", size_t{1} << 30},
                                          {"MiB", size_t{1} << 20},
                                          {"KiB", size_t{1} << 10},
                                          {"TB", 1'000'000'000'000},
                                          {"GB", 1'000'000'000},
                                          {"MB", 1'000'000},
                                          {"KB", 1'000},
                                          {"B", 1},
                                          {"", 1}}};
constexpr size_t kBinaryUnits = 4;  // those that come first, largest first

// Doubles count bytes exactly up to here: 8 PiB.
constexpr double kMaxBytes = 9007199254740992.0;

}  // namespace

std::optional<size_t> parse_byte_size(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (error != std::errc{}) return std::nullopt;
  for (const Unit& unit : kUnits) {
    if (std::string_view(rest, end) != unit.name) continue;
    const double bytes = number * static_cast<double>(unit.bytes);
    if (!(bytes >= 0 && bytes <= kMaxBytes)) return std::nullopt;
    return static_cast<size_t>(bytes);
  }
  return std::nullopt;
}

std::string byte_size_text(size_t bytes) {
  for (size_t i = 0; i < kBinaryUnits; ++i) {
    const auto& [name, unit] = kUnits[i];
    if (bytes < unit) continue;
    if (bytes % unit == 0) return fmt::format("{}{}", bytes / unit, name);
    return fmt::format("{:.1f}{}", static_cast<double>(bytes) / static_cast<double>(unit), name);
  }
  return fmt::format("{}B", bytes);
}

}  // namespace ferry
