#pragma once
// How KV of a card's memory would go to other groups, and what stands next to what on PCIe.

#include <optional>
#include <string>
#include <vector>

#include "launch/doctor/finding.h"

namespace ferry {

struct PciPlace {
  std::string name;  // "0000:41:00.0", or of an RDMA device "mlx5_0"
  std::string path;  // "/sys/devices/pci0000:40/0000:40:01.1/0000:41:00.0"
  int numa_node = -1;
};

struct CardFacts {
  std::vector<PciPlace> cards, rdma_devices;
  std::string ucx;              // its version
  bool ucx_knows_cuda = false;  // its context says so
  bool peer_memory = false;     // nvidia_peermem is loaded
  bool open_driver = false;     // which exports dma-buf
};

enum class PciDistance : uint8_t { one_switch, one_root, one_socket, across };
PciDistance distance(const PciPlace& one, const PciPlace& other);

// nullopt where there is no card.
std::optional<Finding> card_kv_finding(const CardFacts& facts);

CardFacts read_cards();

}  // namespace ferry
