#include "launch/process/host_memory.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "core/base/error.h"
#include "launch/config/byte_size.h"

namespace ferry {

namespace {

namespace fs = std::filesystem;

std::optional<size_t> number_in(std::string_view text) {
  const size_t begin = text.find_first_of("0123456789");
  size_t number = 0;
  if (begin == std::string_view::npos) return std::nullopt;  // "max"
  const auto parsed = std::from_chars(text.data() + begin, text.data() + text.size(), number);
  return parsed.ec == std::errc() ? std::optional(number) : std::nullopt;
}

// What stands after `name` in a file of lines; of the first line where `name` is empty.
std::optional<size_t> number_of(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with(name)) return number_in(std::string_view(line).substr(name.size()));
  }
  return std::nullopt;
}

struct Names {  // of a control group's files, in either version of them
  const char *limit, *usage, *unused;
};
constexpr Names kVersion2 = {"memory.max", "memory.current", "inactive_file "};
constexpr Names kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "};

// Each group is bounded by those around it. In a container the path may name groups that are not to be seen there.
void bound_by(HostMemory& memory, const fs::path& mount, const std::string& path, const Names& names) {
  for (fs::path group = fs::path(path).relative_path();; group = group.parent_path()) {
    const fs::path folder = mount / group;
    if (const auto limit = number_of(folder / names.limit, ""); limit && *limit < memory.total_bytes) {
      const size_t used = number_of(folder / names.usage, "").value_or(0);
      const size_t unused =
          number_of(folder / "memory.stat", names.unused).value_or(0);  // pages of files, given up first
      const size_t taken = used - std::min(used, unused);
      memory.total_bytes = *limit;
      memory.available_bytes = std::min(memory.available_bytes, *limit - std::min(*limit, taken));
    }
    if (group.empty()) return;
  }
}

}  // namespace

HostMemory host_memory(const fs::path& root) {
  constexpr size_t kKib = 1024;
  HostMemory memory = {.total_bytes = number_of(root / "proc/meminfo", "MemTotal:").value_or(0) * kKib,
                       .available_bytes = number_of(root / "proc/meminfo", "MemAvailable:").value_or(0) * kKib};
  std::ifstream groups(root / "proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {  // "4:memory:/a/b", or "0::/a/b" of version 2
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string path = line.substr(second + 1);
    std::istringstream controllers(line.substr(first + 1, second - first - 1));
    if (second == first + 1) bound_by(memory, root / "sys/fs/cgroup", path, kVersion2);
    for (std::string one; std::getline(controllers, one, ',');) {
      if (one == "memory") bound_by(memory, root / "sys/fs/cgroup/memory", path, kVersion1);
    }
  }
  return memory;
}

void require_room(const HostMemory& host, size_t kv_bytes, int n_ranks) {
  if (host.total_bytes == 0) return;
  const auto n = static_cast<size_t>(std::max(n_ranks, 1));
  // What is free changes while the ranks take theirs, so all of them are held against all that there is.
  if (kv_bytes <= host.available_bytes && kv_bytes <= host.total_bytes / n) return;
  throw Error(str("kv.memory: ", n, n == 1 ? " rank" : " ranks", " here would take ", byte_size_text(kv_bytes),
                  n == 1 ? "" : " each", ", and there are ", byte_size_text(host.total_bytes), " of memory, ",
                  byte_size_text(host.available_bytes),
                  " of it free. Set kv.memory lower; `ferry doctor` says what fits"));
}

}  // namespace ferry
