#include "launch/runtime/compose.h"

#include <algorithm>
#include <random>
#include <thread>

#include "core/base/error.h"
#include "parallel/solo.h"
#include "transport/memory_link.h"
#include "transport/staged/staged_link.h"
#include "transport/ucx/ucx_info.h"
#include "transport/ucx/ucx_link.h"

namespace ferry {

namespace {

wire::Role role_of(GroupConfig::Role role) {
  switch (role) {
    case GroupConfig::Role::prefill:
      return wire::Role::prefill;
    case GroupConfig::Role::decode:
      return wire::Role::decode;
    case GroupConfig::Role::mixed:
      return wire::Role::mixed;
  }
  return wire::Role::mixed;
}

wire::Verify verify_of(LinkConfig::Verify verify) {
  switch (verify) {
    case LinkConfig::Verify::off:
      return wire::Verify::off;
    case LinkConfig::Verify::sampled:
      return wire::Verify::sampled;
    case LinkConfig::Verify::all:
      return wire::Verify::all;
  }
  return wire::Verify::all;
}

UcxOptions::Transport transport_of(LinkConfig::Transport transport) {
  switch (transport) {
    case LinkConfig::Transport::automatic:
      return UcxOptions::Transport::automatic;
    case LinkConfig::Transport::shm:
      return UcxOptions::Transport::shm;
    case LinkConfig::Transport::tcp:
      return UcxOptions::Transport::tcp;
    case LinkConfig::Transport::rdma:
      return UcxOptions::Transport::rdma;
    case LinkConfig::Transport::cuda:
      return UcxOptions::Transport::cuda;
  }
  return UcxOptions::Transport::automatic;
}

}  // namespace

uint64_t new_epoch() {
  std::random_device random;
  return (uint64_t{random()} << 32) | random();
}

std::unique_ptr<KvLink> make_link(LinkConfig::Transport transport, size_t memory_bytes) {
  if (transport == LinkConfig::Transport::cuda)
    throw Error(
        "link.transport: cuda puts KV from card to card, and here it is not on a card. Use auto, shm, tcp or rdma");
  return make_ucx_link({.transport = transport_of(transport), .memory_bytes = memory_bytes});
}

RankKv make_rank_kv(const LinkConfig& config, Device* card, size_t kv_bytes) {
  const LinkConfig::Transport transport = config.transport;
  if (!card) return {.on_card = {}, .link = make_staged_link(make_link(transport, kv_bytes)), .way = {}};
  DeviceArray<std::byte> kv(*card, kv_bytes);
  const std::span memory(kv.data(), kv.size());
  const KvOfCards way = kv_of_cards(config);
  if (way.direct) {
    auto link = make_ucx_link({.transport = transport_of(transport), .card_memory = memory});
    return {.on_card = std::move(kv), .link = make_staged_link(std::move(link)), .way = way.why};
  }
  if (transport == LinkConfig::Transport::cuda) {
    throw Error(str("link.transport: cuda: ", way.why, ". Build Ferry on another UCX (cmake -DFERRY_UCX_ROOT=DIR, ",
                    "docs/cuda.md), or use link.transport: auto, which sends KV by way of pinned memory"));
  }
  const uint64_t slot_bytes = slot_bytes_for(config.staging);
  auto link = make_staged_link(make_link(transport, config.staging),
                               Staging{.device = *card, .memory = memory, .slot_bytes = slot_bytes});
  return {.on_card = std::move(kv), .link = std::move(link), .way = way.why};
}

KvOfCards kv_of_cards(const LinkConfig& link) {
  using Transport = LinkConfig::Transport;
  if (link.transport == Transport::shm || link.transport == Transport::tcp)
    return {.direct = false, .why = str("link.transport: ", config_name(link.transport), " reaches no card")};
  if (!ucx_knows_cuda()) return {.direct = false, .why = str("UCX ", ucx_version(), " here knows no memory of cards")};
  return {.direct = true, .why = str("UCX ", ucx_version(), " puts from and to cards")};
}

std::unique_ptr<KvLink> make_local_link(std::span<std::byte> memory) {
  static MemoryFabric fabric;
  return fabric.make_link(memory);
}

int default_threads(int ranks_on_this_host) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, cores / std::max(1, ranks_on_this_host));
}

int ranks_on_shared_host(const GroupConfig& group, const GroupConfig& other) {
  const bool shares = std::find_first_of(group.hosts.begin(), group.hosts.end(), other.hosts.begin(),
                                         other.hosts.end()) != group.hosts.end();
  const auto n_hosts = static_cast<int>(group.hosts.size());
  return shares ? (group.tp + n_hosts - 1) / n_hosts : 0;
}

int ranks_on_host_of(const ClusterConfig& config, const GroupConfig& group) {
  int n_ranks = 0;
  for (const GroupConfig& other : config.groups) n_ranks += ranks_on_shared_host(other, group);
  return n_ranks;
}

GroupSettings settings_of(const ClusterConfig& config, const GroupConfig& group, std::vector<int> end_tokens) {
  return {.key = {.name = group.name, .epoch = new_epoch()},
          .role = role_of(group.role),
          .kv = {.page_tokens = config.kv.page_tokens,
                 .dtype = config.kv.dtype,
                 .memory = config.kv.memory,
                 .reuse = config.kv.prefix_cache == Switch::on},
          .scheduling = {.max_batch_tokens = config.scheduling.max_batch_tokens,
                         .max_sequences = config.scheduling.max_sequences,
                         .step = ms(config.scheduling.step_ms)},
          .overlap = config.link.overlap == LinkConfig::Overlap::layers ? Overlap::layers : Overlap::after_prefill,
          .verify = verify_of(config.link.verify),
          .seed = new_epoch(),
          .max_context = config.max_context.value_or(0),
          .end_tokens = std::move(end_tokens)};
}

OwnGroup::OwnGroup() {
  if (launched_by_mpirun()) {
    session_ = std::make_unique<MpiSession>();
    communicator_ = session_->split(0);
  } else {
    communicator_ = std::make_unique<SoloCommunicator>();
  }
}

}  // namespace ferry
