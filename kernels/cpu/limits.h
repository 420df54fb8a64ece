#pragma once
// What this CPU can do at most: the roof that a benchmark holds its figures against, measured in the same run.

namespace ferry {

struct CpuLimits {
  double f32_gflop_s = 0;  // multiply-adds in registers, two operations each, of the best SimdLevel
  double read_gb_s = 0;    // a sum over more memory than caches hold
};

// Of so many threads at once, each figure the best of several short runs, since neighbours can only slow them down.
// Takes about a quarter of a second and 256 MiB for that time.
CpuLimits measure_cpu_limits(int n_threads);

}  // namespace ferry
