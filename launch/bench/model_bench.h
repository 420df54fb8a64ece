#pragma once
// A model on its own, without scheduler and network: what a step of a given shape costs.

#include <memory>
#include <optional>
#include <vector>

#include "core/engine/rank.h"
#include "core/kv/kv_layout.h"
#include "core/model/model.h"
#include "core/model/model_file.h"
#include "core/seam/communicator.h"
#include "launch/runtime/compose.h"

namespace ferry {

struct BenchShape {
  int max_sequences = 1;
  int max_tokens = 0;  // of a sequence
  int max_rows = 0;    // of a step
  int page_tokens = 16;
  KvDtype dtype = KvDtype::f32;
};

class ModelBench {
 public:
  // All ranks of the group make one and call the same functions.
  ModelBench(const ModelFile& file, const BenchShape& shape, Ops& ops, Communicator& group);

  // What the KV of a rank will take.
  static size_t kv_memory(const ModelFile& file, const BenchShape& shape, const Communicator& group);

  // Seconds for a prompt of n tokens from empty, logits of the last one; in steps of at most max_rows.
  double prefill(int n_tokens);

  // A step, averaged: `n_sequences` that have `context` tokens each, one more token each; as the ranks of a group run
  // it, from its batch to the tokens that rank 0 chooses.
  struct DecodeStep {
    double seconds = 0;
    // Of these, in which the host did not wait for its device: it packed, launched, fetched and chose, and for most of
    // that the device had nothing to do. Nullopt where the device is the host.
    std::optional<double> host_seconds;
  };
  DecodeStep decode(int n_sequences, int context, int n_steps);

  // The greedy token after `tokens`, and what it took: with their KV in the cache already, or with all of it
  // recomputed.
  struct Next {
    int token = 0;
    double seconds = 0;
  };
  Next next_cached(const std::vector<int>& tokens, int n_in_cache);
  Next next_recomputed(const std::vector<int>& tokens) { return next_cached(tokens, 0); }

  // What a row must compute and a step must read at least.
  double flops_per_row(int context) const;
  double weight_bytes() const { return static_cast<double>(model_.weight_bytes()); }
  double kv_bytes(int context) const;

 private:
  void append(Batch& batch, int sequence, Range positions, const int* tokens) const;
  Digests run(const Batch& batch);
  void run_as_group(Batch batch);
  int best_token(const Batch& batch, const Digests& mine);

  const ModelFile& file_;
  const BenchShape shape_;
  Communicator& group_;
  Device& device_;
  const SteadyClock clock_;
  const std::vector<KvLayout> layouts_;  // by rank
  const KvLayout layout_;
  int pages_per_sequence_ = 0;
  DeviceArray<std::byte> kv_;
  Model model_;
  const std::unique_ptr<KvLink> link_;  // to nobody: what a rank has beside its model
  Shipper shipper_;
  Rank rank_;
  int64_t n_steps_ = 0;
};

}  // namespace ferry
