#include "launch/process/process_usage.h"

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

#include "core/base/error.h"

namespace ferry {

namespace {

// The 14th and 15th field; the second, a name in parentheses, may hold anything.
double cpu_seconds(const std::string& path) {
  std::ifstream file(path);
  std::string text;
  if (!std::getline(file, text)) throw Error("cannot read " + path);
  std::istringstream fields(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

size_t peak_bytes(const std::string& path) {
  std::ifstream file(path);
  for (std::string word; file >> word;) {
    size_t kib = 0;
    if (word == "VmHWM:" && file >> kib) return kib << 10;
  }
  throw Error(path + ": no VmHWM");
}

}  // namespace

ProcessUsage usage_of(pid_t pid) {
  const std::string folder = "/proc/" + std::to_string(pid);
  return {.cpu_s = cpu_seconds(folder + "/stat"),
          .main_thread_s = cpu_seconds(folder + "/task/" + std::to_string(pid) + "/stat"),
          .most_bytes = peak_bytes(folder + "/status")};
}

}  // namespace ferry
