#include "launch/runtime/card_memory.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/model/weight_slices.h"
#include "launch/config/byte_size.h"

namespace ferry {

namespace {

// What kernels keep for themselves (CudaSettings: 320 MiB), cuBLASLt, windows that ranks add up through, captured
// graphs. Weights that are made bf16 pass through the half of the products' that they leave free.
constexpr size_t kScratchBytes = size_t{512} << 20;

std::string mib_text(size_t n_bytes) { return byte_size_text((n_bytes >> 20) << 20); }

}  // namespace

CardNeed card_need(const ModelFile& file, const GroupSettings& settings, CudaConfig::Weights weights, int tp,
                   int rank) {
  const ModelLimits limits = {.max_rows = settings.scheduling.max_batch_tokens,
                              .max_logit_rows = settings.scheduling.max_sequences};
  CardNeed need = card_need(file, limits, weights, tp, rank);
  need.kv = kv_plan(file, settings.kv, tp).bytes(rank);
  return need;
}

CardNeed card_need(const ModelFile& file, const ModelLimits& limits, CudaConfig::Weights weights, int tp, int rank) {
  const ModelConfig& config = file.config;
  const TpSlice slice = tp_slices(file.tp_shape, tp)[static_cast<size_t>(rank)];
  const auto n = [](int values) { return static_cast<size_t>(values); };
  const size_t row = 3 * n(config.width) + 2 * n(slice.q_heads.size() * config.head_dim) +
                     2 * n(slice.kv_heads.size() * config.head_dim) + 2 * n(slice.ffn.size());
  const size_t in_file = weight_bytes_of(file.tensors, config, slice);
  const size_t kept =
      weights == CudaConfig::Weights::bf16 ? bf16_weight_bytes_of(file.tensors, config, slice) : in_file;
  return {.weights = kept,
          .kv = 0,
          .activations = sizeof(float) * (n(limits.max_rows) * row + n(limits.max_logit_rows) * n(slice.vocab.size())),
          .scratch = kScratchBytes,
          .spared_by_file = kept - std::min(kept, in_file)};
}

std::string why_no_room(const CardNeed& need, size_t free) {
  if (need.total() <= free) return "";
  const std::string takes = fmt::format(
      "{} are free on the card, and this rank takes {}: {} of weights{}, {} of KV, {} of activations, {} to "
      "compute in. ",
      mib_text(free), mib_text(need.total()), mib_text(need.weights), need.spared_by_file > 0 ? " made bf16" : "",
      mib_text(need.kv), mib_text(need.activations), mib_text(need.scratch));
  const std::string or_file = need.spared_by_file > 0
                                  ? fmt::format(", and cuda.weights: file takes {} less", mib_text(need.spared_by_file))
                                  : "";
  const size_t without_kv = need.total() - need.kv;
  constexpr size_t kWorthwhile = size_t{64} << 20;
  if (without_kv + kWorthwhile <= free)
    return takes + "kv.memory: " + mib_text(free - without_kv) + " would fit" + or_file;
  return takes +
         "Not even the rest would fit without KV: use a higher tp, a smaller model or lower "
         "scheduling.max_batch_tokens" +
         or_file;
}

}  // namespace ferry
