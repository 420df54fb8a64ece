#pragma once
// What one rank computes with, and how its group adds up there: on a card of its own, or on the CPU.

#include <memory>
#include <optional>
#include <string>

#include "core/seam/communicator.h"
#include "core/seam/ops.h"
#include "launch/config/cluster_config.h"
#include "launch/process/card_lock.h"
#include "launch/runtime/card_memory.h"
#include "parallel/cuda/card_communicator.h"

namespace ferry {

// Of a rank among all ranks of a cluster on its host.
struct HostPlace {
  int ranks = 1;      // that share its cores
  int card_turn = 0;  // ranks that take a card before this one
};

// Groups of one cluster.yaml take the cards of a host one after the other: those of groups that stand before and name
// one of this group's hosts come first. `local_rank` is the place among this group's ranks on this host.
int card_turn(const ClusterConfig& config, const GroupConfig& group, int local_rank);

// The card that a turn falls on. Where a batch system shows each rank the one card that is its own, it is that.
constexpr int card_of_turn(int turn, int n_cards) { return n_cards > 0 ? turn % n_cards : 0; }

// What a rank says of its card to its group.
struct CardClaim {
  std::string why_not;  // it has none
  std::string host;     // the same for all processes of a host
  std::string card;
  std::string name;

  template <class A>
  void fields(A& a) {
    a(why_not, host, card, name);
  }
};

// Ranks whose claims are of the same card as that of `rank`, itself included.
int ranks_on_card_of(const std::vector<CardClaim>& claims, int rank);

// Why a group cannot compute on these cards, in rank order; empty where it can.
std::string why_not_on(const std::vector<CardClaim>& claims, Switch share_cards);

// "products of bf16": for people.
std::string arithmetic_text(const CudaConfig& cuda);

class RankCompute {
 public:
  // Collective over `host`, which outlives it. Error where compute: cuda has no card to compute on; on every rank the
  // same, as is the choice of compute: auto.
  RankCompute(const ClusterConfig& config, Communicator& host, const HostPlace& place, const CardNeed& need);

  Ops& ops() { return *ops_; }
  Communicator& group() { return cards_ ? *cards_ : host_; }
  bool on_card() const { return on_card_; }
  int ranks_on_card() const { return ranks_on_card_; }  // this one included
  CardCommunicator* cards() { return cards_.get(); }    // null: the group adds up on the host

  int n_threads() const { return n_threads_; }
  const std::string& text() const { return text_; }  // what computes, and why not something else: for people

 private:
  std::string take_card(const ClusterConfig& config, const HostPlace& place, const CardNeed& need);
  void use_card(const ClusterConfig& config);
  void use_cpu(const ClusterConfig& config);

  Communicator& host_;
  const int n_threads_;
  bool on_card_ = false;
  int card_ = 0;
  int ranks_on_card_ = 1;
  std::unique_ptr<CardLock> lock_;
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<CardCommunicator> cards_;  // ends before the ops
  std::string text_;
};

}  // namespace ferry
