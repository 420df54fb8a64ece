#pragma once
// What a cluster.yaml makes of its model, rank by rank and path by path: who holds and computes what, how much room
// there is for KV, and what a handoff moves. Pure.

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <vector>

#include "core/kv/shard.h"
#include "core/model/model_file.h"
#include "launch/config/cluster_config.h"
#include "launch/io/terminal.h"

namespace ferry {

struct RankOutline {
  TpSlice slice;
  Shard shard;
  size_t weight_bytes = 0;
  size_t kv_bytes = 0;  // of all its pages
};

struct GroupOutline {
  std::string name, role, hosts;
  std::vector<RankOutline> ranks;
  int n_pages = 0;          // of each rank
  int64_t n_tokens = 0;     // that they hold
  int n_sequences = 0;      // that it runs at a time
  int64_t tokens_each = 0;  // when all of them run; one alone can have all, up to the context
};

struct PathOutline {
  std::string prefill, decode;
  int n_pieces = 0;          // puts for a whole page of one layer, of all ranks
  size_t token_bytes = 0;    // KV of a token, of all ranks
  int longest_sender = 0;    // the rank of `prefill` that sends most
  size_t longest_bytes = 0;  // of a token
};

struct ClusterOutline {
  std::vector<GroupOutline> groups;
  std::vector<PathOutline> paths;
};

// Without groups that divide the model in a way that it cannot be divided, which are findings.
ClusterOutline outline_of(const ClusterConfig& config, const ModelFile& model);

// {"groups", "paths"}; ranges as [begin, end).
nlohmann::ordered_json json_of(const ClusterOutline& outline);
// Tables, each with an empty line behind it.
void print_outline(const ClusterOutline& outline, std::ostream& out, Colours colours);

}  // namespace ferry
