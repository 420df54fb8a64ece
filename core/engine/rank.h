#pragma once
// One rank of a group: runs the leader's steps. Rank 0 is run by the leader's loop, the others by follow().

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/engine/step.h"
#include "core/handoff/shipper.h"
#include "core/seam/communicator.h"

namespace ferry {

struct StepResult {                   // on rank 0; empty on the others
  std::vector<RowDigest> digests;     // by logit row
  std::vector<StepReceipt> receipts;  // by rank
};

// What a rank computes with: Model, or a simulated one.
using LayerDone = std::function<void(int layer)>;
struct Compute {
  // Computes a batch over this rank's KV pages, and says when the KV of a layer is in them, where there is somebody
  // to be told. Returns what there is to say of this rank's part of the logits.
  std::function<Digests(const Batch& batch, const LayerDone& layer_done)> batch;
  // Some of the logit rows of that batch, [rows, this rank's part of the vocabulary], valid until the next call.
  std::function<std::span<const float>(const std::vector<int>& rows)> logits;
};

class Rank {
 public:
  // `group` and `shipper` outlive the rank.
  Rank(Compute compute, const KvLayout& layout, int n_vocab, Communicator& group, Shipper& shipper);

  // `bytes` are the step's, as broadcast.
  StepResult run(const Step& step, const std::string& bytes);

  // The second half of a step whose batch says that rank 0 may ask: nothing where it does not. `rows`: what rank 0
  // wants to have of its logit rows, which all ranks are told; the others' are not read. Returns [rows, n_vocab] on
  // rank 0, valid until the next step.
  std::span<const float> asked_logits(const Batch& batch, const std::vector<int>& rows);

  // Runs what rank 0 broadcasts until the last step.
  void follow();

  // The two halves of run(), for who drives several ranks by turns.
  void execute(const Step& step);
  StepReceipt receipt(const Step& step, const std::string& bytes);

 private:
  void run_orders(const Step& step);
  void compute(const Step& step);
  std::span<const float> gathered(std::span<const float> mine, int n_rows);
  std::vector<StepReceipt> exchange_receipts(const StepReceipt& mine);

  const Compute compute_;
  const KvLayout layout_;
  const int n_vocab_;
  Communicator& group_;
  Shipper& shipper_;
  Digests digests_;                // of the step that runs
  std::vector<Range> vocab_;       // [n ranks], on rank 0
  std::vector<float> by_rank_;     // [rank][row][its vocab], on rank 0
  std::vector<float> all_logits_;  // [row][vocab], on rank 0
};

}  // namespace ferry
