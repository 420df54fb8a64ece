#include "launch/runtime/rank_compute.h"

#include <algorithm>
#include <fstream>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/reference_ops.h"
#include "kernels/cuda/cuda_ops.h"
#include "launch/runtime/compose.h"
#include "parallel/cuda/card_group.h"
#include "parallel/shared_bytes.h"

namespace ferry {

namespace {

std::string own_host() {
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  return boot;
}

// Without one, why.
CudaCard card_or_reason(int index) {
  CudaCard none = {.name = {}, .id = {}, .why_unusable = why_no_cuda()};
  try {
    if (none.why_unusable.empty()) return cuda_card(index);
  } catch (const Error& error) {
    none.why_unusable = error.what();
  }
  return none;
}

std::vector<CardClaim> shared_claims(Communicator& host, const CardClaim& mine) {
  std::vector<CardClaim> claims;
  for (const std::string& bytes : shared_bytes(host, pack(mine))) {
    auto claim = unpack<CardClaim>(bytes);
    if (!claim) throw Error("a rank claims no card: are all ranks of the same build?");
    claims.push_back(std::move(*claim));
  }
  return claims;
}

Products products_of(CudaConfig::Products products) {
  return products == CudaConfig::Products::f32 ? Products::f32 : Products::bf16;
}

Weights weights_of(CudaConfig::Weights weights) {
  return weights == CudaConfig::Weights::bf16 ? Weights::bf16 : Weights::file;
}

AllReduceBy all_reduce_by(CudaConfig::AllReduce all_reduce) {
  switch (all_reduce) {
    case CudaConfig::AllReduce::automatic:
      return AllReduceBy::automatic;
    case CudaConfig::AllReduce::ipc:
      return AllReduceBy::ipc;
    case CudaConfig::AllReduce::nccl:
      return AllReduceBy::nccl;
    case CudaConfig::AllReduce::host:
      return AllReduceBy::host;
  }
  return AllReduceBy::automatic;
}

}  // namespace

std::string arithmetic_text(const CudaConfig& cuda) {
  const char* const weights = cuda.weights == CudaConfig::Weights::bf16 ? "weights made bf16, " : "";
  return str(weights, "products of ", config_name(cuda.products));
}

int card_turn(const ClusterConfig& config, const GroupConfig& group, int local_rank) {
  int turn = local_rank;
  for (const GroupConfig& before : config.groups) {
    if (before.name == group.name) break;
    turn += ranks_on_shared_host(before, group);
  }
  return turn;
}

int ranks_on_card_of(const std::vector<CardClaim>& claims, int rank) {
  const CardClaim& mine = claims[static_cast<size_t>(rank)];
  return static_cast<int>(std::ranges::count_if(
      claims, [&](const CardClaim& other) { return other.host == mine.host && other.card == mine.card; }));
}

std::string why_not_on(const std::vector<CardClaim>& claims, Switch share_cards) {
  const auto rank_text = [&](size_t rank) { return claims.size() == 1 ? "" : str("rank ", rank, ": "); };
  for (size_t rank = 0; rank < claims.size(); ++rank) {
    if (!claims[rank].why_not.empty()) return rank_text(rank) + claims[rank].why_not;
  }
  if (share_cards == Switch::on) return "";
  for (size_t rank = 0; rank < claims.size(); ++rank) {
    for (size_t other = 0; other < rank; ++other) {
      if (claims[other].host != claims[rank].host || claims[other].card != claims[rank].card) continue;
      return str("ranks ", other, " and ", rank, " would both compute on ", claims[rank].name, " (", claims[rank].card,
                 "). Start fewer ranks on this host, or try it out with cuda.share_cards: on");
    }
  }
  return "";
}

RankCompute::RankCompute(const ClusterConfig& config, Communicator& host, const HostPlace& place, const CardNeed& need)
    : host_(host), n_threads_(config.threads.value_or(default_threads(place.ranks))) {
  if (config.compute == ClusterConfig::Compute::cpu || config.compute == ClusterConfig::Compute::reference) {
    use_cpu(config);
    return;
  }
  const std::string why_not = take_card(config, place, need);
  if (why_not.empty()) {
    use_card(config);
    return;
  }
  if (config.compute == ClusterConfig::Compute::cuda)
    throw Error(str("compute: cuda: ", why_not, ". Or use compute: cpu"));
  lock_.reset();
  use_cpu(config);
  text_ += str(" (compute: auto; not cuda: ", why_not, ")");
}

// Every rank says what it has, and all hear it. Then each looks closer at what is its own, and all hear that, too.
std::string RankCompute::take_card(const ClusterConfig& config, const HostPlace& place, const CardNeed& need) {
  card_ = card_of_turn(place.card_turn, n_cuda_cards());
  const CudaCard card = card_or_reason(card_);
  const CardClaim claim = {.why_not = card.why_unusable, .host = own_host(), .card = card.id, .name = card.name};
  const std::vector<CardClaim> claims = shared_claims(host_, claim);
  if (std::string why_not = why_not_on(claims, config.cuda.share_cards); !why_not.empty()) return why_not;

  ranks_on_card_ = ranks_on_card_of(claims, host_.rank());
  std::string why_not = why_no_room(need, card.free_bytes / static_cast<size_t>(ranks_on_card_));
  if (why_not.empty() && config.cuda.share_cards == Switch::off) {
    try {
      lock_ = std::make_unique<CardLock>(claim.card);
    } catch (const Error& error) {
      why_not = error.what();
    }
  }
  if (!why_not.empty()) why_not = str(claim.name, " (", claim.card, "): ", why_not);
  return shared_reason(host_, why_not);
}

void RankCompute::use_card(const ClusterConfig& config) {
  ops_ = make_cuda_ops(
      {.card = card_, .products = products_of(config.cuda.products), .weights = weights_of(config.cuda.weights)});
  on_card_ = true;
  text_ = str(ops_->name(), ", ", arithmetic_text(config.cuda));
  if (host_.size() == 1) return;
  const bool are_shared = !shared_reason(host_, ranks_on_card_ > 1 ? "shared" : "").empty();
  CardGroup group = make_card_group(host_, ops_->device(),
                                    {.by = all_reduce_by(config.cuda.all_reduce), .cards_are_shared = are_shared});
  cards_ = std::move(group.communicator);
  text_ += "; sums " + group.text;
}

void RankCompute::use_cpu(const ClusterConfig& config) {
  ops_ = config.compute == ClusterConfig::Compute::reference ? make_reference_ops() : make_cpu_ops(n_threads_);
  text_ = ops_->name();
}

}  // namespace ferry
