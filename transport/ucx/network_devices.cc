#include "transport/ucx/network_devices.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "core/base/error.h"

namespace ferry {

namespace {

std::vector<std::string> entries_of(const char* folder) {
  std::vector<std::string> names;
  std::error_code none;  // a kernel without such devices has no such folder
  for (const auto& entry : std::filesystem::directory_iterator(folder, none)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace

std::vector<std::string> rdma_devices() { return entries_of("/sys/class/infiniband"); }

void require_devices(const std::vector<std::string>& names) {
  std::vector<std::string> present = entries_of("/sys/class/net");
  for (const std::string& rdma : rdma_devices()) present.push_back(rdma);
  for (const std::string& name : names) {
    const std::string without_port = name.substr(0, name.find(':'));
    if (std::find(present.begin(), present.end(), without_port) == present.end())
      throw Error(str("there is no network device ", name, "; there are: ", listed(present)));
  }
}

}  // namespace ferry
