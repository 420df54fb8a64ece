#pragma once
// One rank of a group: runs the leader's steps. Rank 0 is run by the leader's loop, the others by follow().

#include <span>
#include <string>
#include <vector>

#include "core/engine/step.h"
#include "core/handoff/shipper.h"
#include "core/model/model.h"
#include "core/seam/communicator.h"

namespace ferry {

struct StepResult {                   // on rank 0; empty on the others
  std::span<const float> logits;      // [n logit rows, n_vocab], valid until the next step
  std::vector<StepReceipt> receipts;  // by rank
};

class Rank {
 public:
  // All outlive the rank. `kv` is this rank's KV memory.
  Rank(Model& model, const KvLayout& layout, std::span<std::byte> kv, Communicator& group, Shipper& shipper);

  // `bytes` are the step's, as broadcast.
  StepResult run(const Step& step, const std::string& bytes);

  // Runs what rank 0 broadcasts until the last step.
  void follow();

 private:
  void run_orders(const Step& step);
  std::span<const float> compute(const Step& step);
  std::span<const float> gathered(std::span<const float> mine, int n_rows);
  std::vector<StepReceipt> exchange_receipts(const Step& step, const std::string& bytes);

  Model& model_;
  const KvLayout layout_;
  const std::span<std::byte> kv_;
  Communicator& group_;
  Shipper& shipper_;
  std::vector<Range> vocab_;       // [n ranks], on rank 0
  std::vector<float> by_rank_;     // [rank][row][its vocab], on rank 0
  std::vector<float> all_logits_;  // [row][vocab], on rank 0
};

}  // namespace ferry
