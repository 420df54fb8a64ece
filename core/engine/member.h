#pragma once
// Everything that one rank of a group is made of, over the seams it is given. Rank 0 leads: it has the engine and
// drives the group turn by turn; the others follow.

#include <memory>
#include <string>

#include "core/engine/leader.h"
#include "core/model/model.h"
#include "core/model/model_file.h"

namespace ferry {

struct KvSettings {
  int page_tokens = 16;
  KvDtype dtype = KvDtype::f32;
  size_t memory = size_t{256} << 20;  // bytes a rank
  bool reuse = true;                  // pages that hold the beginning of a prompt already
};

struct GroupSettings {
  wire::GroupKey key;
  wire::Role role = wire::Role::mixed;
  KvSettings kv;
  SchedulingLimits scheduling;
  Overlap overlap = Overlap::layers;
  wire::Verify verify = wire::Verify::sampled;
  uint64_t seed = 0;  // of ticket keys
  Milestones milestones = {};
  int max_context = 0;  // tokens; 0: what the model allows
  std::vector<int> end_tokens;
};

// How a group's KV memory is cut. All ranks have as many pages as the rank with the largest ones can hold.
struct KvPlan {
  std::vector<KvLayout> layouts;  // by rank
  int n_pages = 0;                // of each

  // Of memory that a rank's link needs.
  size_t bytes(int rank) const { return layouts[rank].bytes() + kProbeBytes; }
};

// Error when the memory holds no page, or the degree suits no part of the model.
KvPlan kv_plan(const ModelFile& file, const KvSettings& kv, int tp);

// What a member computes with and talks through. `link` has kv_plan().bytes(rank) of memory, of the device that `ops`
// compute on.
struct MemberMeans {
  Ops& ops;
  Communicator& group;
  KvLink& link;
  const Clock& clock;
};

class Member {
 public:
  // All that is referred to outlives the member. Collective: all ranks construct theirs.
  Member(const ModelFile& file, const GroupSettings& settings, const MemberMeans& means);

  bool leads() const { return leader_ != nullptr; }
  void follow() { rank_.follow(); }

  // Of the leader.
  Leader& leader() { return *leader_; }
  Engine& engine() { return *engine_; }
  const wire::GroupInfo& info() const { return info_; }

  const Model& model() const { return model_; }

 private:
  const KvPlan plan_;
  wire::GroupInfo info_;  // whole on rank 0
  Model model_;
  Shipper shipper_;
  Rank rank_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Leader> leader_;
};

}  // namespace ferry
