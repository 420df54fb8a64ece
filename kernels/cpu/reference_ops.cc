#include "kernels/cpu/reference_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "core/base/check.h"
#include "kernels/cpu/host_device.h"
#include "kernels/cpu/kv_element.h"
#include "kernels/cpu/plain_steps.h"

namespace ferry {
namespace {

constexpr int kMaxHeadDim = 512;

class MappedWeight final : public Weight {
 public:
  explicit MappedWeight(const MatrixSlice& slice) : slice_(slice) {}

  int n_rows() const override { return slice_.n_rows(); }
  int n_cols() const override { return slice_.n_cols(); }
  size_t bytes() const override {
    const TensorFormat& format = format_of(slice_.whole.type);
    const auto n_blocks = static_cast<size_t>((n_cols() + format.block_values - 1) / format.block_values);
    return static_cast<size_t>(n_rows()) * n_blocks * static_cast<size_t>(format.block_bytes);
  }
  const MatrixSlice& slice() const { return slice_; }

 private:
  MatrixSlice slice_;
};

const MatrixSlice& slice_of(const Weight* weight) { return static_cast<const MappedWeight*>(weight)->slice(); }

template <class T>
T* row_at(T* rows, int row, int width) {
  return rows + static_cast<int64_t>(row) * width;
}

std::span<float> row_span(float* rows, int row, int width) {
  return {row_at(rows, row, width), static_cast<size_t>(width)};
}

double dot(const float* a, const float* b, int n) {
  double sum = 0;
  for (int i = 0; i < n; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

// Keys of one token and head; its values lie KvLayer::v_bytes further.
std::byte* keys_at(const KvLayer& kv, const BatchView& batch, int sequence, int token, int head) {
  const int page = batch.pages[batch.page_begin[sequence] + token / kv.page_tokens];
  return kv.base + static_cast<size_t>(page) * kv.page_bytes + static_cast<size_t>(head) * kv.head_bytes +
         static_cast<size_t>(token % kv.page_tokens) * kv.token_bytes;
}

double score(const KvLayer& kv, const float* q, const std::byte* keys) {
  double sum = 0;
  for (int i = 0; i < kv.head_dim; ++i)
    sum += static_cast<double>(q[i]) * static_cast<double>(load_kv(kv.dtype, keys, i));
  return sum;
}

// One query head of one row. Scores are computed twice, once for their maximum, so that none has to be kept.
void attend(const Attention& p, int sequence, int row, int q_head) {
  const KvLayer& kv = p.kv;
  const auto index = static_cast<int64_t>(row) * p.n_q_heads + q_head;
  const float* q = p.q + index * kv.head_dim;
  float* out = p.out + index * kv.head_dim;
  const int n_tokens = p.batch.positions[row] + 1;
  if (n_tokens == 0) return void(std::fill_n(out, kv.head_dim, 0.0f));
  const auto keys = [&](int token) { return keys_at(kv, p.batch, sequence, token, p.kv_head_of[q_head]); };

  double largest = -std::numeric_limits<double>::infinity();
  for (int t = 0; t < n_tokens; ++t) largest = std::max(largest, score(kv, q, keys(t)));
  std::array<double, kMaxHeadDim> sums{};
  double total = 0;
  for (int t = 0; t < n_tokens; ++t) {
    const std::byte* k = keys(t);
    const double weight = std::exp((score(kv, q, k) - largest) * static_cast<double>(p.scale));
    total += weight;
    for (int i = 0; i < kv.head_dim; ++i) {
      sums[static_cast<size_t>(i)] += weight * static_cast<double>(load_kv(kv.dtype, k + kv.v_bytes, i));
    }
  }
  for (int i = 0; i < kv.head_dim; ++i) out[i] = static_cast<float>(sums[static_cast<size_t>(i)] / total);
}

void rms_norm_row(const float* x, const float* weight, float epsilon, std::span<float> out) {
  const int width = static_cast<int>(out.size());
  const double scale = 1 / std::sqrt(dot(x, x, width) / width + static_cast<double>(epsilon));
  for (int i = 0; i < width; ++i) out[i] = static_cast<float>(static_cast<double>(x[i]) * scale) * weight[i];
}

void rotate(const RotateAndStore& p, float* head, int position) {
  const int n_pairs = p.n_rotated / 2;
  for (int i = 0; i < n_pairs; ++i) {
    const double angle = static_cast<double>(position) * static_cast<double>(p.inverse_frequencies[i]);
    const double cosine = std::cos(angle), sine = std::sin(angle);
    float& a = p.pairs == RopePairs::interleaved ? head[2 * i] : head[i];
    float& b = p.pairs == RopePairs::interleaved ? head[2 * i + 1] : head[i + n_pairs];
    const auto x = static_cast<double>(a), y = static_cast<double>(b);
    a = static_cast<float>(x * cosine - y * sine);
    b = static_cast<float>(x * sine + y * cosine);
  }
}

void turn_heads(const RotateAndStore& p, int row, float* x, int n_heads, const float* norm) {
  for (int h = 0; h < n_heads; ++h) {
    const std::span head = row_span(x, row * n_heads + h, p.kv.head_dim);
    if (norm != nullptr) rms_norm_row(head.data(), norm, p.epsilon, head);
    rotate(p, head.data(), p.batch.positions[row]);
  }
}

void store(const RotateAndStore& p, int sequence, int row) {
  for (int h = 0; h < p.kv.n_heads; ++h) {
    const auto from = (static_cast<int64_t>(row) * p.kv.n_heads + h) * p.kv.head_dim;
    std::byte* keys = keys_at(p.kv, p.batch, sequence, p.batch.positions[row], h);
    for (int i = 0; i < p.kv.head_dim; ++i) {
      store_kv(p.kv.dtype, keys, i, p.k[from + i]);
      store_kv(p.kv.dtype, keys + p.kv.v_bytes, i, p.v[from + i]);
    }
  }
}

double activate(double x, Activation activation) {
  if (activation == Activation::silu) return x / (1 + std::exp(-x));
  const double kSqrt2OverPi = 0.7978845608028654;
  return 0.5 * x * (1 + std::tanh(kSqrt2OverPi * (x + 0.044715 * x * x * x)));
}

float number_at(const float* logits, int id) {
  return std::isnan(logits[id]) ? -std::numeric_limits<float>::infinity() : logits[id];
}

bool is_better(const float* logits, int a, int b) {
  const float x = number_at(logits, a), y = number_at(logits, b);
  return x > y || (x == y && a < b);
}

// The best of those that are not as good as `than`, −1: of all. −1 where there is none.
int next_best(const float* logits, int n_vocab, int than) {
  int best = -1;
  for (int id = 0; id < n_vocab; ++id) {
    if (than >= 0 && !is_better(logits, than, id)) continue;
    if (best < 0 || is_better(logits, id, best)) best = id;
  }
  return best;
}

float sum_of_weights(const float* logits, int n_vocab, float largest, float scale) {
  if (std::isinf(largest)) return 0;
  double sum = 0;
  for (int id = 0; id < n_vocab; ++id) {
    const double below = static_cast<double>(number_at(logits, id)) - static_cast<double>(largest);
    sum += std::exp(below * static_cast<double>(scale));
  }
  return static_cast<float>(sum);
}

class ReferenceOps final : public Ops {
 public:
  std::string name() const override { return "reference"; }
  Device& device() override { return device_; }

  std::unique_ptr<Weight> prepare(const MatrixSlice& slice) override {
    weights_row_.resize(std::max(weights_row_.size(), static_cast<size_t>(slice.n_cols())));
    return std::make_unique<MappedWeight>(slice);
  }

  std::unique_ptr<RepeatedSteps> repeated_steps(const StepForm&) override { return std::make_unique<PlainSteps>(); }

  void embed(const Embed& p) override {
    const MatrixSlice& table = slice_of(p.table);
    const int width = table.n_cols();
    for (int r = 0; r < p.n_rows; ++r) {
      const std::span out = row_span(p.out, r, width);
      const int row = p.tokens[r] - p.first_token;
      if (row >= 0 && row < table.n_rows()) {
        dequantize_row(table, row, out);
        for (float& value : out) value *= p.scale;
      } else {
        std::ranges::fill(out, 0.0f);
      }
    }
  }

  void rms_norm(const RmsNorm& p) override {
    for (int r = 0; r < p.n_rows; ++r) {
      rms_norm_row(row_at(p.x, r, p.width), p.weight, p.epsilon, row_span(p.out, r, p.width));
    }
  }

  void matmul(std::span<const Matmul> products) override {
    for (const Matmul& p : products) multiply(p);
  }

  void rotate_and_store(const RotateAndStore& p) override {
    for (int s = 0; s < p.batch.n_sequences; ++s) {
      for (int r = p.batch.row_begin[s]; r < p.batch.row_begin[s + 1]; ++r) {
        if (p.batch.positions[r] < 0) continue;
        turn_heads(p, r, p.q, p.n_q_heads, p.q_norm);
        turn_heads(p, r, p.k, p.kv.n_heads, p.k_norm);
        store(p, s, r);
      }
    }
  }

  void attention(const Attention& p) override {
    check(p.kv.head_dim <= kMaxHeadDim, "a head as wide as the reference knows");
    for (int s = 0; s < p.batch.n_sequences; ++s) {
      for (int r = p.batch.row_begin[s]; r < p.batch.row_begin[s + 1]; ++r) {
        for (int h = 0; h < p.n_q_heads; ++h) attend(p, s, r, h);
      }
    }
  }

  void gated_activation(const GatedActivation& p) override {
    for (int64_t i = 0; i < p.n; ++i) {
      const double gate = activate(static_cast<double>(p.gate[i]), p.activation);
      p.out[i] = static_cast<float>(gate * static_cast<double>(p.up[i]));
    }
  }

  void add_and_norm(const AddAndNorm& p) override {
    for (int r = 0; r < p.n_rows; ++r) {
      float* x = row_at(p.x, r, p.width);
      const float* y = row_at(p.y, r, p.width);
      const std::span out = row_span(p.out, r, p.width);
      if (p.y_weight != nullptr) rms_norm_row(y, p.y_weight, p.epsilon, out);
      for (int i = 0; i < p.width; ++i) x[i] += p.y_weight != nullptr ? out[i] : y[i];
      rms_norm_row(x, p.weight, p.epsilon, out);
    }
  }

  void select_rows(const SelectRows& p) override {
    for (int i = 0; i < p.n_rows; ++i) std::copy_n(row_at(p.x, p.rows[i], p.width), p.width, row_at(p.out, i, p.width));
  }

  void top_logits(const TopLogits& p) override {
    for (int r = 0; r < p.n_rows; ++r) {
      const float* logits = row_at(p.logits, r, p.n_vocab);
      int* ids = row_at(p.ids, r, p.n_best);
      float* best = row_at(p.best, r, p.n_best);
      for (int i = 0, id = -1; i < p.n_best; ++i) {
        if (i < p.n_vocab) id = next_best(logits, p.n_vocab, id);
        ids[i] = i < p.n_vocab ? p.first_id + id : -1;
        best[i] = i < p.n_vocab ? number_at(logits, id) : -std::numeric_limits<float>::infinity();
      }
      if (p.n_best == 1) continue;
      row_at(p.sums, r, 2)[0] = sum_of_weights(logits, p.n_vocab, best[0], 1);
      row_at(p.sums, r, 2)[1] = sum_of_weights(logits, p.n_vocab, best[0], p.scales[r]);
    }
  }

 private:
  void multiply(const Matmul& p) {
    const MatrixSlice& w = slice_of(p.w);
    const int n_in = w.n_cols(), n_out = w.n_rows();
    const std::span weights = std::span(weights_row_).first(static_cast<size_t>(n_in));
    for (int o = 0; o < n_out; ++o) {
      dequantize_row(w, o, weights);
      const double bias = p.bias ? static_cast<double>(p.bias[o]) : 0;
      for (int r = 0; r < p.n_rows; ++r) {
        row_at(p.y, r, n_out)[o] = static_cast<float>(dot(row_at(p.x, r, n_in), weights.data(), n_in) + bias);
      }
    }
  }

  HostDevice device_;
  std::vector<float> weights_row_;  // as wide as the widest weight prepared
};

}  // namespace

std::unique_ptr<Ops> make_reference_ops() { return std::make_unique<ReferenceOps>(); }

}  // namespace ferry
