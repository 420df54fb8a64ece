#pragma once
// Whether a rank's part of a model has room on its card, before any of it is taken.

#include <cstddef>
#include <string>

#include "core/engine/member.h"
#include "core/model/model_file.h"
#include "launch/config/cluster_config.h"

namespace ferry {

struct CardNeed {
  size_t weights = 0;
  size_t kv = 0;
  size_t activations = 0;
  size_t scratch = 0;
  size_t spared_by_file = 0;  // bytes of the weights that are there because of cuda.weights: bf16

  size_t total() const { return weights + kv + activations + scratch; }
};

// Of a rank of a group.
CardNeed card_need(const ModelFile& file, const GroupSettings& settings, CudaConfig::Weights weights, int tp, int rank);
// The same without KV, for batches of these sizes.
CardNeed card_need(const ModelFile& file, const ModelLimits& limits, CudaConfig::Weights weights, int tp, int rank);

// Why it has no room where `free` bytes are, and what would help; empty where it has.
std::string why_no_room(const CardNeed& need, size_t free);

}  // namespace ferry
