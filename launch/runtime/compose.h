#pragma once
// Which implementation stands behind each seam, together with rank_compute.h: no other place names them.

#include <memory>
#include <string>

#include "core/engine/member.h"
#include "core/seam/clock.h"
#include "core/seam/communicator.h"
#include "core/seam/kv_link.h"
#include "launch/config/cluster_config.h"
#include "parallel/mpi.h"

namespace ferry {

class SteadyClock final : public Clock {
 public:
  Instant now() const override { return std::chrono::steady_clock::now(); }
};

uint64_t new_epoch();  // of a router or a group at one start: random

// Memory of this process, and a network to it.
std::unique_ptr<KvLink> make_link(LinkConfig::Transport transport, size_t memory_bytes);

// Whether UCX puts KV from and to a card of this machine, and why, or why not: then it goes by way of pinned memory.
struct KvOfCards {
  bool direct = false;
  std::string why;
};
KvOfCards kv_of_cards(const LinkConfig& link);

// The KV memory of a rank where its Ops compute, and the link over it.
struct RankKv {
  DeviceArray<std::byte> on_card;  // empty: the link has it in this process
  std::unique_ptr<KvLink> link;
  std::string way;  // how KV gets out of it and into it, for people; empty: as it is
};
// `card`: that it computes on, which outlives this; null: on its CPU.
RankKv make_rank_kv(const LinkConfig& config, Device* card, size_t kv_bytes);
// For a group that talks to no other: KV memory, perhaps a card's, without a network.
std::unique_ptr<KvLink> make_local_link(std::span<std::byte> memory);

// Threads of each rank where nobody says: the cores of this host, divided by its ranks.
int default_threads(int ranks_on_this_host);

// Ranks of `group` on a host that both groups name; none where there is no such host.
int ranks_on_shared_host(const GroupConfig& group, const GroupConfig& other);

// Ranks of all groups that name a host of this group: they share its cores.
int ranks_on_host_of(const ClusterConfig& config, const GroupConfig& group);

GroupSettings settings_of(const ClusterConfig& config, const GroupConfig& group, std::vector<int> end_tokens);

// The group that this process is a rank of: its MPI job where mpirun started it, otherwise itself alone.
class OwnGroup {
 public:
  OwnGroup();
  Communicator& communicator() { return *communicator_; }
  void mpi_all_reduce(std::span<float> values) { session_->mpi_all_reduce(values); }  // with more ranks than one
  int ranks_on_this_host() const { return session_ ? session_->local_ranks() : 1; }
  int local_rank() const { return session_ ? session_->local_rank() : 0; }  // among them

 private:
  std::unique_ptr<MpiSession> session_;
  std::unique_ptr<Communicator> communicator_;  // ends before the session
};

}  // namespace ferry
