#include "kernels/cpu/cpu_ops.h"

#include <cpuid.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "core/base/check.h"
#include "core/base/error.h"
#include "core/kv/shard.h"
#include "kernels/cpu/host_device.h"
#include "kernels/cpu/packed_matrix.h"
#include "kernels/cpu/plain_steps.h"
#include "kernels/cpu/thread_pool.h"

namespace ferry {
namespace {

// Work in one range of a shared operation, so that handing it out costs little beside it.
constexpr int64_t kGrainMultiplies = 1 << 17;
constexpr int64_t kGrainValues = 1 << 14;

int64_t grain_of(int64_t total, int64_t each) { return std::max<int64_t>(1, total / std::max<int64_t>(each, 1)); }

const PackedMatrix& packed(const Weight* weight) { return *static_cast<const PackedMatrix*>(weight); }

// The best of a row, kept sorted where they are wanted: few logits are better than the worst of those so far.
void take_best(const TopLogits& p, int row) {
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  const float* logits = p.logits + int64_t{row} * p.n_vocab;
  int* ids = p.ids + int64_t{row} * p.n_best;
  float* best = p.best + int64_t{row} * p.n_best;
  const auto insert = [&](int place, int id, float logit) {
    for (; place > 0 && best[place - 1] < logit; --place) {
      best[place] = best[place - 1];
      ids[place] = ids[place - 1];
    }
    best[place] = logit;
    ids[place] = p.first_id + id;
  };
  const int n_first = std::min(p.n_best, p.n_vocab);
  for (int id = 0; id < n_first; ++id) insert(id, id, logits[id] > kLowest ? logits[id] : kLowest);
  for (int id = n_first; id < p.n_vocab; ++id) {
    if (logits[id] > best[p.n_best - 1]) insert(p.n_best - 1, id, logits[id]);  // not what is no number
  }
  std::fill(ids + n_first, ids + p.n_best, -1);
  std::fill(best + n_first, best + p.n_best, kLowest);
}

class CpuOps final : public Ops {
 public:
  CpuOps(int n_threads, const KernelSet& kernels)
      : kernels_(kernels),
        pool_(n_threads),
        scratch_(std::make_unique<AttentionScratch[]>(static_cast<size_t>(n_threads))) {}

  std::string name() const override {
    return str("cpu ", kernels_.name, " ×", pool_.n_threads(), pool_.n_threads() == 1 ? " thread" : " threads");
  }

  Device& device() override { return device_; }

  std::unique_ptr<Weight> prepare(const MatrixSlice& slice) override {
    auto matrix = std::make_unique<PackedMatrix>(slice, kernels_.lanes);
    pool_.for_each_range(matrix->n_panels(), grain_of(kGrainValues, int64_t{kernels_.lanes} * slice.n_cols()),
                         [&](int64_t begin, int64_t end, int) {
                           matrix->pack(slice, {static_cast<int>(begin), static_cast<int>(end)});
                         });
    return matrix;
  }

  std::unique_ptr<RepeatedSteps> repeated_steps(const StepForm&) override { return std::make_unique<PlainSteps>(); }

  void embed(const Embed& p) override {
    const PackedMatrix& table = packed(p.table);
    pool_.for_each_range(p.n_rows, grain_of(kGrainValues, table.n_cols()), [&](int64_t begin, int64_t end, int) {
      kernels_.embed[table.format()]({table.view(), &p, static_cast<int>(begin), static_cast<int>(end)});
    });
  }

  void rms_norm(const RmsNorm& p) override {
    for_each_rows(p.n_rows, p.width, [&](int begin, int end) { kernels_.rms_norm(p, begin, end); });
  }

  void matmul(std::span<const Matmul> products) override {
    for (const Matmul& p : products) multiply(p);
  }

  void rotate_and_store(const RotateAndStore& p) override {
    check(p.kv.head_dim <= kMaxHeadDim, "a head as wide as the kernels know");
    for_each_rows(p.batch.n_rows, (p.n_q_heads + 2 * p.kv.n_heads) * p.kv.head_dim, [&](int begin, int end) {
      norm_and_turn(p, p.q, p.n_q_heads, p.q_norm, {begin, end});
      norm_and_turn(p, p.k, p.kv.n_heads, p.k_norm, {begin, end});
      for (int s = 0; s < p.batch.n_sequences; ++s) {
        kernels_.write_kv({p.k, p.v, p.kv, p.batch}, s, std::max(begin, p.batch.row_begin[s]),
                          std::min(end, p.batch.row_begin[s + 1]));
      }
    });
  }

  void attention(const Attention& p) override;

  void gated_activation(const GatedActivation& p) override {
    pool_.for_each_range(p.n, kGrainValues,
                         [&](int64_t begin, int64_t end, int) { kernels_.gated_activation(p, begin, end); });
  }

  void add_and_norm(const AddAndNorm& p) override {
    for_each_rows(p.n_rows, p.width, [&](int begin, int end) {
      const RmsNorm norm_of_y = {p.y, p.y_weight, p.out, p.n_rows, p.width, p.epsilon};
      if (p.y_weight != nullptr) kernels_.rms_norm(norm_of_y, begin, end);
      kernels_.add({p.x, p.y_weight != nullptr ? p.out : p.y}, int64_t{begin} * p.width, int64_t{end} * p.width);
      kernels_.rms_norm({p.x, p.weight, p.out, p.n_rows, p.width, p.epsilon}, begin, end);
    });
  }

  void select_rows(const SelectRows& p) override {
    for (int i = 0; i < p.n_rows; ++i) {
      std::copy_n(p.x + int64_t{p.rows[i]} * p.width, p.width, p.out + int64_t{i} * p.width);
    }
  }

  void top_logits(const TopLogits& p) override {
    for_each_rows(p.n_rows, p.n_vocab, [&](int begin, int end) {
      for (int r = begin; r < end; ++r) {
        const float* logits = p.logits + int64_t{r} * p.n_vocab;
        take_best(p, r);
        if (p.n_best == 1) continue;
        const float largest = p.best[int64_t{r} * p.n_best];
        const bool none = std::isinf(largest);
        for (const int i : {0, 1}) {
          const float scale = i == 0 ? 1 : p.scales[r];
          p.sums[2 * r + i] = none ? 0 : static_cast<float>(kernels_.sum_of_weights(logits, p.n_vocab, largest, scale));
        }
      }
    });
  }

 private:
  void multiply(const Matmul& p) {
    if (p.n_rows == 0) return;
    const PackedMatrix& w = packed(p.w);
    const int64_t panel_multiplies = int64_t{kernels_.lanes} * w.n_cols() * p.n_rows;
    const int64_t grain =
        (grain_of(kGrainMultiplies, panel_multiplies) + kPanelsTogether - 1) / kPanelsTogether * kPanelsTogether;
    pool_.for_each_range(w.n_panels(), grain, [&](int64_t begin, int64_t end, int) {
      kernels_.matmul[w.format()](w.view(), p, {static_cast<int>(begin), static_cast<int>(end)});
    });
  }

  static constexpr int64_t kPanelsTogether = 4;  // that a kernel takes at once

  template <class F>
  void for_each_rows(int n_rows, int width, const F& f) {
    pool_.for_each_range(n_rows, grain_of(kGrainValues, width),
                         [&](int64_t begin, int64_t end, int) { f(static_cast<int>(begin), static_cast<int>(end)); });
  }

  void norm_and_turn(const RotateAndStore& p, float* x, int n_heads, const float* norm, Range rows) {
    if (norm != nullptr) {  // a head is a row of head_dim
      kernels_.rms_norm({x, norm, x, p.batch.n_rows * n_heads, p.kv.head_dim, p.epsilon}, rows.begin * n_heads,
                        rows.end * n_heads);
    }
    kernels_.rope({x, p.batch.positions, p.inverse_frequencies, n_heads, p.kv.head_dim, p.n_rotated, p.pairs},
                  rows.begin, rows.end);
  }

  HostDevice device_;
  KernelSet kernels_;
  ThreadPool pool_;
  std::unique_ptr<AttentionScratch[]> scratch_;  // [n_threads]
};

// The query heads of one KV head: its group.
struct HeadGroup {
  int begin = 0;
  int end = 0;
};
HeadGroup group_from(const Attention& p, int q_head) {
  int end = q_head + 1;
  while (end < p.n_q_heads && p.kv_head_of[end] == p.kv_head_of[q_head] && end - q_head < kBlockQueries) ++end;
  return {q_head, end};
}

// f(task) for each block of rows of each sequence and group of heads, in order: the tasks of an attention.
template <class F>
void for_each_task(const Attention& p, const F& f) {
  for (int s = 0; s < p.batch.n_sequences; ++s) {
    for (int h = 0; h < p.n_q_heads;) {
      const HeadGroup group = group_from(p, h);
      const int rows_at_once = kBlockQueries / (group.end - group.begin);
      for (int r = p.batch.row_begin[s]; r < p.batch.row_begin[s + 1]; r += rows_at_once) {
        f(AttentionTask{&p, s, r, std::min(r + rows_at_once, p.batch.row_begin[s + 1]), group.begin, group.end});
      }
      h = group.end;
    }
  }
}

void CpuOps::attention(const Attention& p) {
  check(p.kv.head_dim <= kMaxHeadDim, "a head as wide as the kernels know");
  int n_tasks = 0;
  for_each_task(p, [&](const AttentionTask&) { ++n_tasks; });
  pool_.for_each_range(n_tasks, 1, [&](int64_t begin, int64_t end, int thread) {
    int64_t i = 0;
    for_each_task(p, [&](const AttentionTask& task) {
      if (i >= begin && i < end) kernels_.attention(task, scratch_[static_cast<size_t>(thread)]);
      ++i;
    });
  });
}

bool has_f16c() {  // clang 14 has no name for it
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

}  // namespace

bool cpu_has(SimdLevel level) {
  switch (level) {
    case SimdLevel::portable:
      return true;
    case SimdLevel::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && has_f16c();
    case SimdLevel::avx512:
      return cpu_has(SimdLevel::avx2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  }
  return false;
}

SimdLevel best_simd_level() {
  for (const SimdLevel level : {SimdLevel::avx512, SimdLevel::avx2}) {
    if (cpu_has(level)) return level;
  }
  return SimdLevel::portable;
}

KernelSet kernels_of(SimdLevel level) {
  check(cpu_has(level), "a SIMD level that this CPU has");
  switch (level) {
    case SimdLevel::avx512:
      return avx512_kernels();
    case SimdLevel::avx2:
      return avx2_kernels();
    case SimdLevel::portable:
      break;
  }
  return portable_kernels();
}

std::unique_ptr<Ops> make_cpu_ops(int n_threads, SimdLevel level) { return make_cpu_ops(n_threads, kernels_of(level)); }

std::unique_ptr<Ops> make_cpu_ops(int n_threads, const KernelSet& kernels) {
  return std::make_unique<CpuOps>(n_threads, kernels);
}

}  // namespace ferry
