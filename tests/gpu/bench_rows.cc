// What works row by row, at sizes of a model of eight billion weights.

#include "tests/gpu/bench.h"

namespace ferry::gpu {

void bench_rows(Bench& bench) {
  constexpr int kWidth = 4096, kFfn = 14336;
  const DeviceArray<float> weight = bench.random_floats(kWidth, 1);
  for (const int n_rows : {1, 64, 2048}) {
    const auto size = [n_rows](int width) { return static_cast<size_t>(n_rows) * static_cast<size_t>(width); };
    const std::string rows = std::to_string(n_rows) + " rows";
    const DeviceArray<float> x = bench.random_floats(size(kFfn), 2), y = bench.random_floats(size(kFfn), 3);
    const DeviceArray<float> out(bench.device(), size(kFfn));
    if (bench.wants("rms_norm", rows)) {
      const double ms = bench.ms_of([&](int) {
        bench.ops().rms_norm({.x = x.data(),
                              .weight = weight.data(),
                              .out = out.data(),
                              .n_rows = n_rows,
                              .width = kWidth,
                              .epsilon = 1e-5f});
      });
      bench.report("rms_norm", rows, ms, {.bytes = 8.0 * static_cast<double>(size(kWidth))});
    }
    if (bench.wants("add_and_norm", rows)) {
      const DeviceArray<float> sum(bench.device(), size(kWidth));
      const double ms = bench.ms_of([&](int) {
        bench.ops().add_and_norm({.x = sum.data(),
                                  .y = y.data(),
                                  .weight = weight.data(),
                                  .out = out.data(),
                                  .n_rows = n_rows,
                                  .width = kWidth,
                                  .epsilon = 1e-5f});
      });
      bench.report("add_and_norm", rows, ms, {.bytes = 16.0 * static_cast<double>(size(kWidth))});
    }
    if (bench.wants("gated_activation", rows)) {
      const double ms = bench.ms_of([&](int) {
        bench.ops().gated_activation(
            {.gate = x.data(), .up = y.data(), .out = out.data(), .n = static_cast<int64_t>(size(kFfn))});
      });
      bench.report("gated_activation", rows, ms, {.bytes = 12.0 * static_cast<double>(size(kFfn))});
    }
  }
}

}  // namespace ferry::gpu
