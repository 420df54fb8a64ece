#pragma once
// Amounts as people read them.

#include <fmt/format.h>

#include <string>

namespace ferry {

inline std::string duration_text(double ms) {
  if (ms >= 60'000) return fmt::format("{:.1f} min", ms / 60'000);
  if (ms >= 1000) return fmt::format("{:.2f} s", ms / 1000);
  return fmt::format("{:.{}f} ms", ms, ms >= 10 ? 0 : ms >= 1 ? 1 : 2);
}

inline std::string bytes_text(double bytes) {
  const char* unit = "B";
  for (const char* next : {"kB", "MB", "GB"}) {
    if (bytes < 1000) break;
    bytes /= 1000;
    unit = next;
  }
  return fmt::format("{:.{}f} {}", bytes, bytes < 10 && *unit != 'B' ? 1 : 0, unit);
}

inline std::string rate_text(double per_s) { return fmt::format("{:.{}f}", per_s, per_s > 0 && per_s < 100 ? 1 : 0); }

}  // namespace ferry
