#include "kernels/cuda/cuda_ops.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/error.h"
#include "kernels/cuda/bf16_weight.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/launches.h"
#include "kernels/cuda/matmul.h"
#include "kernels/cuda/planar_weight.h"
#include "kernels/cuda/recorded_steps.h"

namespace ferry {

using namespace cuda;

namespace {

const WeightView& view_of(const Weight* weight) { return static_cast<const PlanarWeight*>(weight)->view(); }

// Its name; what this thread does from now on it does there.
std::string usable_card(int index) {
  const CudaCard card = card_facts(index);
  if (!card.why_unusable.empty()) throw Error(str("compute: cuda: ", card.why_unusable, ". Use compute: cpu"));
  use_card(index);
  return card.name;
}

class CudaOps final : public Ops {
 public:
  explicit CudaOps(const CudaSettings& settings)
      : card_(usable_card(settings.card)),
        settings_(settings),
        multiplier_(settings, device_, stream_),
        attention_scratch_(device_, settings.attention_scratch_bytes / sizeof(float)),
        top_scratch_(device_, kTopScratchFloats) {}

  std::string name() const override { return str("cuda ", card_); }
  Device& device() override { return device_; }

  std::unique_ptr<Weight> prepare(const MatrixSlice& slice) override {
    const bool is_made_bf16 = settings_.weights == Weights::bf16 && slice.whole.type != TensorType::bf16;
    // Parts of half the scratch memory: the half for dequantized weights, which bf16 weights leave free.
    auto weight = is_made_bf16 ? bf16_weight(slice, settings_.product_scratch_bytes / 2, device_, stream_)
                               : std::make_unique<PlanarWeight>(slice, device_);
    multiplier_.announce(weight->view());
    return weight;
  }
  // As the file has it: looking a row up is no slower for that, and it keeps its bits.
  std::unique_ptr<Weight> prepare_table(const MatrixSlice& slice) override {
    return std::make_unique<PlanarWeight>(slice, device_);
  }

  std::unique_ptr<RepeatedSteps> repeated_steps(const StepForm& most) override {
    return std::make_unique<RecordedSteps>(stream_, most);
  }

  void embed(const Embed& p) override { launch_embed(p, view_of(p.table), stream_); }
  void rms_norm(const RmsNorm& p) override { launch_rms_norm(p, stream_); }
  void matmul(std::span<const Matmul> products) override { multiplier_.multiply(products); }
  void rotate_and_store(const RotateAndStore& p) override { launch_rotate_and_store(p, stream_); }
  void attention(const Attention& p) override {
    launch_attention(p,
                     {.products = settings_.products,
                      .partial = attention_scratch_.data(),
                      .n_floats = attention_scratch_.size(),
                      .n_multiprocessors = n_multiprocessors_,
                      .most_shared_bytes = most_shared_bytes_},
                     stream_);
  }
  void gated_activation(const GatedActivation& p) override { launch_gated_activation(p, stream_); }
  void add_and_norm(const AddAndNorm& p) override { launch_add_and_norm(p, stream_); }
  void select_rows(const SelectRows& p) override { launch_select_rows(p, stream_); }
  void top_logits(const TopLogits& p) override { launch_top_logits(p, top_scratch_.data(), stream_); }

  void matmul_of(const AddAndNorm& x, std::span<const Matmul> products) override {
    const auto forms = multiplier_.room_for_terms(products);
    if (!forms || x.width > kWidestSplitNorm) return Ops::matmul_of(x, products);
    check(forms->rows.first_col == 0 && forms->rows.n_in == x.width, "a norm is multiplied with all of its columns");
    launch_split_norm({x, forms->terms}, stream_);
    multiplier_.multiply_terms(products, *forms);
  }
  void matmul_of(const GatedActivation& x, std::span<const Matmul> products) override {
    const auto forms = multiplier_.room_for_terms(products);
    if (!forms) return Ops::matmul_of(x, products);
    SplitActivation split = {.gate = forms->rows, .up = forms->rows, .activation = x.activation, .to = forms->terms};
    split.gate.x = x.gate;
    split.up.x = x.up;
    launch_split_activation(split, stream_);
    multiplier_.multiply_terms(products, *forms);
  }

 private:
  const std::string card_;
  const CudaSettings settings_;
  const int n_multiprocessors_ = n_multiprocessors();
  const size_t most_shared_bytes_ = most_shared_bytes();
  CudaDevice device_;
  const Stream stream_ = device_.launches();
  Multiplier multiplier_;
  DeviceArray<float> attention_scratch_;
  DeviceArray<float> top_scratch_;
};

}  // namespace

std::string cuda_build() { return runtime_name(); }
std::string why_no_cuda() { return why_no_card(); }
int n_cuda_cards() { return why_no_card().empty() ? n_cards() : 0; }

CudaCard cuda_card(int index) { return card_facts(index); }

std::string why_not_pinned(int card, size_t n_bytes) {
  use_card(card);
  const auto bytes = std::make_unique_for_overwrite<std::byte[]>(n_bytes);
  const std::span<std::byte> memory(bytes.get(), n_bytes);
  std::string why_not = pin(memory);
  if (why_not.empty()) unpin(memory);
  return why_not;
}

std::unique_ptr<Ops> make_cuda_ops(const CudaSettings& settings) {
  if (const std::string why = why_no_card(); !why.empty())
    throw Error(str("compute: cuda: ", why, ". Use compute: cpu"));
  return std::make_unique<CudaOps>(settings);
}

}  // namespace ferry
