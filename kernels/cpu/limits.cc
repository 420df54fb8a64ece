#include "kernels/cpu/limits.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <vector>

#include "kernels/cpu/cpu_ops.h"
#include "kernels/cpu/thread_pool.h"

namespace ferry {
namespace {

constexpr int kRuns = 6;

template <class F>
double best_seconds(const F& f) {
  double best = std::numeric_limits<double>::infinity();
  for (int run = 0; run < kRuns; ++run) {
    const auto start = std::chrono::steady_clock::now();
    f();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

double multiply_adds_per_second(const KernelSet& kernels, ThreadPool& pool) {
  constexpr int64_t kRounds = 500'000;
  const double seconds = best_seconds([&] {
    pool.for_each_range(pool.n_threads(), 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) kernels.chain_multiply_adds(kRounds);
    });
  });
  return static_cast<double>(pool.n_threads() * kRounds * kChains * kernels.lanes) / seconds;
}

double floats_read_per_second(const KernelSet& kernels, ThreadPool& pool) {
  const std::vector<float> values(size_t{64} << 20);
  const auto n = static_cast<int64_t>(values.size());
  std::vector<float> sums(static_cast<size_t>(pool.n_threads()));
  const double seconds = best_seconds([&] {
    pool.for_each_range(n, n / pool.n_threads() + 1, [&](int64_t begin, int64_t end, int thread) {
      sums[static_cast<size_t>(thread)] += kernels.sum(values.data() + begin, end - begin);
    });
  });
  return static_cast<double>(n) / seconds;
}

}  // namespace

CpuLimits measure_cpu_limits(int n_threads) {
  const KernelSet kernels = kernels_of(best_simd_level());
  ThreadPool pool(n_threads);
  return {.f32_gflop_s = 2 * multiply_adds_per_second(kernels, pool) / 1e9,
          .read_gb_s = static_cast<double>(sizeof(float)) * floats_read_per_second(kernels, pool) / 1e9};
}

}  // namespace ferry
