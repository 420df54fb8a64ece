#include "transport/ucx/process.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <system_error>

#include "core/base/error.h"

namespace ferry {

namespace {

std::string this_boot() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return boot;
}

std::string this_host() {
  std::error_code none;
  return this_boot() + " " + std::filesystem::read_symlink("/proc/self/ns/pid", none).string();
}

// nullopt: there is no such process, or it is dead and waits to be buried.
std::optional<uint64_t> start_of(int32_t pid) {
  std::ifstream file(str("/proc/", pid, "/stat"));
  std::string stat(std::istreambuf_iterator<char>(file), {});
  // "PID (NAME) STATE ...": the name may hold anything, so the fields are counted from its end.
  std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  constexpr int kState = 3, kThreads = 20, kStarted = 22;  // as proc(5) numbers them
  bool dead = false;
  std::string field;
  for (int i = kState; fields >> field; ++i) {
    if (i == kState) dead = field == "Z" || field == "X";
    // Its first thread is dead before the others are, and those may be in the middle of a copy.
    if (i == kThreads && dead && std::stoll(field) <= 1) return std::nullopt;
    if (i == kStarted) return std::stoull(field);
  }
  return std::nullopt;
}

}  // namespace

Process this_process() { return process_of(static_cast<int32_t>(getpid())); }

Process process_of(int32_t pid) { return {.host = this_host(), .pid = pid, .started = start_of(pid).value_or(0)}; }

bool has_ended(const Process& process) {
  static const std::string host = this_host();
  return process.host == host && start_of(process.pid) != process.started;
}

bool on_this_machine(const Process& process) {
  static const std::string boot = this_boot();
  return process.host.starts_with(boot);
}

}  // namespace ferry
