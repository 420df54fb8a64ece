#pragma once
// The decoder, as one rank of a tensor-parallel group runs it. Families differ in data (ModelConfig, which weights are
// there), not in code.

#include <array>
#include <functional>
#include <span>
#include <vector>

#include "core/engine/batch.h"
#include "core/engine/device_batch.h"
#include "core/engine/digest.h"
#include "core/kv/kv_layout.h"
#include "core/model/model_config.h"
#include "core/model/weights.h"
#include "core/seam/communicator.h"
#include "core/seam/ops.h"

namespace ferry {

struct ModelLimits {
  int max_rows = 0;        // of a batch
  int max_logit_rows = 0;  // of a batch
  int max_pages = 0;       // of a batch, those of all its sequences
};

// What of a model is a rank's.
struct ModelPart {
  ModelConfig config;
  TpSlice slice;
  ModelWeights weights;
};

class Model {
 public:
  // `ops` and `group` outlive the model.
  Model(ModelPart part, ModelLimits limits, Ops& ops, Communicator& group);

  // Called when the keys and values of the batch's rows are in the pages of `layer`, or will be once the device has
  // done what it was told; empty where nobody wants to know.
  using LayerDone = std::function<void(int layer)>;

  // Runs the batch over this rank's KV memory, which the ops' device has, and digests this rank's part of the logits.
  // At return the device has done it all, also where no logits are wanted: who measures how long a step takes
  // (StepPace) has to see the device's time, and what is behind the step (a cancel, a shorter prompt) is not to wait
  // for more than this one. Meanwhile those who watch the device go on.
  Digests forward(const Batch& batch, const KvLayout& layout, std::span<std::byte> kv, const LayerDone& layer_done);

  // Of the latest batch, these of its logit rows: [rows, local vocab], valid until the next call.
  std::span<const float> logits(const std::vector<int>& rows);

  const ModelConfig& config() const { return config_; }
  const TpSlice& slice() const { return slice_; }
  size_t weight_bytes() const { return weights_.bytes(); }

 private:
  void compute(const KvLayout& layout, std::byte* kv, const LayerDone& layer_done);
  std::array<Matmul, 3> qkv_of(const LayerWeights& w, int n_rows) const;
  void rotate_and_store(const LayerWeights& w, const KvLayer& kv, const BatchView& batch);
  void attend(const LayerWeights& w, const KvLayer& kv, const BatchView& batch);
  void feed_forward(const LayerWeights& w, int n_rows);
  AddAndNorm sum_and_norm(const DeviceArray<float>& post_norm, const DeviceArray<float>& next_norm, int n_rows) const;
  void project_logits();
  void digest_logits();
  Digests digests_of(int n_rows);
  void sum_over_ranks(const DeviceArray<float>& x, int n_rows);
  void matmul(const Weight& w, const float* x, float* y, int n_rows);

  const ModelConfig config_;
  const TpSlice slice_;
  const ModelWeights weights_;
  const ModelLimits limits_;
  Ops& ops_;
  Communicator& group_;
  const std::unique_ptr<RepeatedSteps> repeated_steps_;
  DeviceBatch batch_;                       // that runs
  DeviceArray<int> kv_head_of_;             // [local query heads]
  DeviceArray<float> inverse_frequencies_;  // [n_rotated / 2]

  // Activations, sized for max_rows.
  DeviceArray<float> hidden_;     // [rows, width], the residual stream
  DeviceArray<float> normed_;     // [rows, width]
  DeviceArray<float> q_;          // [rows, local query heads, head_dim]
  DeviceArray<float> k_, v_;      // [rows, local KV heads, head_dim]
  DeviceArray<float> attended_;   // [rows, local query heads, head_dim]
  DeviceArray<float> gate_, up_;  // [rows, local ffn]
  DeviceArray<float> partial_;    // [rows, width], this rank's part of a sum over ranks
  DeviceArray<float> logits_;     // [logit rows, local vocab]
  DeviceArray<int> digests_;      // what TopLogits writes, one after the other: ids, best, sums
  std::vector<int> host_digests_;
  std::vector<float> host_logits_;  // that were asked for
};

}  // namespace ferry
