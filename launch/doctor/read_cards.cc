// Where Linux says which cards and RDMA devices there are, and where.

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "launch/doctor/cards.h"
#include "launch/doctor/first_line.h"
#include "transport/ucx/ucx_info.h"

namespace ferry {
namespace {

namespace fs = std::filesystem;

PciPlace place_of(const std::string& name, const fs::path& device) {
  std::error_code none;
  const fs::path path = fs::canonical(device, none);
  std::ifstream numa(path / "numa_node");
  int node = -1;
  numa >> node;
  return {.name = name, .path = path.string(), .numa_node = numa ? node : -1};
}

// NVIDIA's devices that display or compute (PCI class 03).
std::vector<PciPlace> cards() {
  std::vector<PciPlace> found;
  std::error_code none;
  for (const auto& device : fs::directory_iterator("/sys/bus/pci/devices", none)) {
    if (first_line(device.path() / "vendor") == "0x10de" && first_line(device.path() / "class").starts_with("0x03"))
      found.push_back(place_of(device.path().filename().string(), device.path()));
  }
  std::ranges::sort(found, {}, &PciPlace::name);
  return found;
}

std::vector<PciPlace> rdma_devices() {
  std::vector<PciPlace> found;
  std::error_code none;
  for (const auto& device : fs::directory_iterator("/sys/class/infiniband", none))
    found.push_back(place_of(device.path().filename().string(), device.path() / "device"));
  std::ranges::sort(found, {}, &PciPlace::name);
  return found;
}

}  // namespace

CardFacts read_cards() {
  CardFacts facts = {.cards = cards(), .rdma_devices = rdma_devices(), .ucx = ucx_version()};
  if (facts.cards.empty()) return facts;
  facts.ucx_knows_cuda = ucx_knows_cuda();
  facts.peer_memory = fs::exists("/sys/module/nvidia_peermem");
  facts.open_driver = first_line("/proc/driver/nvidia/version").find("Open Kernel Module") != std::string::npos;
  return facts;
}

}  // namespace ferry
