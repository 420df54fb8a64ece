// What tokens are chosen from, of the vocabulary of a model of eight billion weights.

#include "tests/gpu/bench.h"

namespace ferry::gpu {

void bench_sampling(Bench& bench) {
  constexpr int kVocabulary = 128256;
  for (const int n_rows : {1, 8, 64}) {
    const size_t n_logits = static_cast<size_t>(n_rows) * kVocabulary;
    const double bytes = 4.0 * static_cast<double>(n_logits);
    for (const int n_best : {1, kMostBest}) {
      const std::string name = (n_best == 1 ? "best of " : "best 64 and sums of ") + std::to_string(n_rows) + " rows";
      if (!bench.wants("top_logits", name)) continue;
      std::vector<DeviceArray<float>> logits;
      for (int i = 0; i < bench.copies_of(bytes); ++i)
        logits.push_back(bench.random_floats(n_logits, static_cast<uint64_t>(i) + 1));
      const auto rows = static_cast<size_t>(n_rows), n_kept = rows * static_cast<size_t>(n_best);
      const DeviceArray<float> scales(bench.device(), std::vector<float>(rows, 1 / 0.7f));
      const DeviceArray<int> ids(bench.device(), n_kept);
      const DeviceArray<float> best(bench.device(), n_kept), sums(bench.device(), 2 * rows);
      const double ms = bench.ms_of([&](int i) {
        bench.ops().top_logits({.logits = logits[static_cast<size_t>(i) % logits.size()].data(),
                                .scales = scales.data(),
                                .ids = ids.data(),
                                .best = best.data(),
                                .sums = sums.data(),
                                .n_rows = n_rows,
                                .n_vocab = kVocabulary,
                                .n_best = n_best});
      });
      bench.report("top_logits", name, ms, {.bytes = bytes});
    }
  }
}

}  // namespace ferry::gpu
