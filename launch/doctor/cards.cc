#include "launch/doctor/cards.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

namespace ferry {
namespace {

using Level = Finding::Level;

std::vector<std::string> parts_of(const std::string& path) {
  std::vector<std::string> parts;
  for (const auto& part : std::filesystem::path(path)) parts.push_back(part.string());
  return parts;
}

std::string text_of(PciDistance distance) {
  switch (distance) {
    case PciDistance::one_switch:
      return "behind one switch";
    case PciDistance::one_root:
      return "on one root complex";
    case PciDistance::one_socket:
      return "on one socket";
    case PciDistance::across:
      return "across sockets";
  }
  return "";
}

struct Nearest {
  const PciPlace* device = nullptr;
  PciDistance distance = PciDistance::across;
};

Nearest nearest(const PciPlace& card, const std::vector<PciPlace>& devices) {
  Nearest best;
  for (const PciPlace& device : devices) {
    const PciDistance d = distance(card, device);
    if (!best.device || d < best.distance) best = {.device = &device, .distance = d};
  }
  return best;
}

std::string placement(const CardFacts& facts) {
  std::vector<std::string> cards;
  for (const PciPlace& card : facts.cards) {
    const Nearest rdma = nearest(card, facts.rdma_devices);
    cards.push_back(rdma.device ? fmt::format("{} and {} {}", card.name, rdma.device->name, text_of(rdma.distance))
                                : card.name);
  }
  return fmt::format("{}", fmt::join(cards, ", "));
}

void judge_direct(const CardFacts& facts, Finding& f) {
  const std::string how = facts.peer_memory ? "nvidia_peermem" : facts.open_driver ? "dma-buf" : "";
  f.found =
      fmt::format("put directly, UCX {} knows cards{}; {}", facts.ucx, how.empty() ? "" : ", " + how, placement(facts));
  if (facts.rdma_devices.empty()) return;
  if (how.empty()) {
    f.level = Level::warning;
    f.cost = "RDMA devices do not reach the cards: between hosts UCX copies KV itself, slowly";
    f.advice = "modprobe nvidia_peermem, or the open kernel modules of the driver; or link.transport: tcp";
    return;
  }
  const auto is_far = [&](const PciPlace& card) {
    return nearest(card, facts.rdma_devices).distance == PciDistance::across;
  };
  if (std::ranges::none_of(facts.cards, is_far)) return;
  f.level = Level::warning;
  f.cost = "what a card sends crosses the sockets: often less than half of the network's speed";
  f.advice = "groups on the cards next to an RDMA device (nvidia-smi topo -m)";
}

}  // namespace

PciDistance distance(const PciPlace& one, const PciPlace& other) {
  const auto a = parts_of(one.path), b = parts_of(other.path);
  const auto split = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first;
  const auto n_common = split - a.begin();
  // "/" "sys" "devices" "pci0000:40" "0000:40:01.1": one root complex, and one port of it with what is behind.
  constexpr int kRootComplex = 4, kPort = 5;
  if (n_common >= kPort) return PciDistance::one_switch;
  if (n_common >= kRootComplex) return PciDistance::one_root;
  return one.numa_node >= 0 && one.numa_node == other.numa_node ? PciDistance::one_socket : PciDistance::across;
}

std::optional<Finding> card_kv_finding(const CardFacts& facts) {
  if (facts.cards.empty()) return std::nullopt;
  Finding f{.what = "KV of cards"};
  if (facts.ucx_knows_cuda) {
    judge_direct(facts, f);
    return f;
  }
  f.found = fmt::format("by way of pinned memory, UCX {} knows no memory of cards; {}", facts.ucx, placement(facts));
  f.cost =
      "a copy over PCIe on each side, one more pass through host memory each, link.staging of pinned memory a rank";
  f.advice = "cmake -DFERRY_UCX_ROOT=DIR with a UCX that knows CUDA (docs/cuda.md)";
  return f;
}

}  // namespace ferry
