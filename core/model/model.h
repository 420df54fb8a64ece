#pragma once
// The decoder, as one rank of a tensor-parallel group runs it. Families differ in data (ModelConfig, which weights are
// there), not in code.

#include <functional>
#include <span>
#include <vector>

#include "core/engine/batch.h"
#include "core/engine/device_batch.h"
#include "core/kv/kv_layout.h"
#include "core/model/model_config.h"
#include "core/model/weights.h"
#include "core/seam/communicator.h"
#include "core/seam/ops.h"

namespace ferry {

struct ModelLimits {
  int max_rows = 0;        // of a batch
  int max_logit_rows = 0;  // of a batch
};

class Model {
 public:
  // `ops` and `group` outlive the model.
  Model(ModelConfig config, const TpSlice& slice, ModelWeights weights, ModelLimits limits, Ops& ops,
        Communicator& group);

  // Called when the keys and values of the batch's rows are in the pages of `layer`.
  using LayerDone = std::function<void(int layer)>;

  // Runs the batch over this rank's KV memory, which the ops' device has: [n logit rows, local vocab], valid until the
  // next call.
  std::span<const float> forward(const Batch& batch, const KvLayout& layout, std::span<std::byte> kv,
                                 const LayerDone& layer_done);

  const ModelConfig& config() const { return config_; }
  const TpSlice& slice() const { return slice_; }
  size_t weight_bytes() const { return weights_.bytes(); }

 private:
  void project_qkv(const LayerWeights& w, int n_rows);
  void rotate_and_store(const LayerWeights& w, const KvLayer& kv, const BatchView& batch);
  void attend(const LayerWeights& w, const KvLayer& kv, const BatchView& batch);
  void feed_forward(const LayerWeights& w, int n_rows);
  void add_and_norm(const DeviceArray<float>& post_norm, const DeviceArray<float>& next_norm, int n_rows);
  void norm(const float* x, const DeviceArray<float>& weight, float* out, int n_rows);
  void matmul(const Weight& w, const float* x, float* y, int n_rows);

  const ModelConfig config_;
  const TpSlice slice_;
  const ModelWeights weights_;
  const ModelLimits limits_;
  Ops& ops_;
  Communicator& group_;
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
  std::vector<float> host_logits_;
};

}  // namespace ferry
