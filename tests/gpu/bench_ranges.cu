// Products of few rows whose columns are summed in other numbers of ranges than kernels/cuda/matmul.cu chooses: more of
// them keep more blocks busy, and leave more sums to add up. For choosing better ones.

#include "core/base/error.h"
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/matmul_kernel.h"
#include "tests/gpu/bench.h"
#include "tests/gpu/file_matrix.h"

namespace ferry::gpu {
namespace {

using namespace cuda;

constexpr TensorType kType = TensorType::q4_k;
constexpr int kMostRows = 64, kMostColumns = 14336, kMostOut = 6144, kMostRanges = 16, kCounters = 1024;

// What the launches of this file share.
class Room {
 public:
  explicit Room(Bench& bench)
      : stream_(static_cast<CudaDevice&>(bench.device()).launches()),
        x_(bench.random_floats(size_t{kMostRows} * kMostColumns, 1)),
        y_(bench.device(), size_t{kMostRows} * kMostOut),
        terms_(bench.device(), size_t{kMostRows} * kMostColumns),
        sums_(bench.device(), size_t{kMostRows} * kMostColumns / kGroupColumns),
        partial_(bench.device(), size_t{kMostRows} * kMostOut * kMostRanges),
        n_arrived_(bench.device(), std::vector<uint32_t>(kCounters)) {}

  void split_x(int n_rows, int n_columns) {
    launch_split_x({rows(n_rows, n_columns), terms(n_rows, n_columns)}, stream_);
  }

  void multiply(const WeightView& w, int n_rows, int n_ranges) {
    MatmulTask task = {.n_parts = 1,
                       .n_rows = n_rows,
                       .n_steps = w.n_steps,
                       .x = terms(n_rows, w.n_cols),
                       .x_rows = rows(n_rows, w.n_cols)};
    task.parts[0] = {.steps = w.steps,
                     .block_scales = w.block_scales,
                     .y = y_.data(),
                     .n_out = w.n_rows,
                     .n_tiles = w.n_tiles,
                     .n_ranges = n_ranges};
    const MatmulRoom room = {.partial = reinterpret_cast<float4*>(partial_.data()),
                             .n_partial = partial_.size() / 4,
                             .n_arrived = n_arrived_.data(),
                             .n_counters = kCounters,
                             .shared_bytes = most_shared_bytes()};
    launch_matmul_of<kType>(task, room, stream_);
  }

 private:
  XRows rows(int n_rows, int n_columns) const { return {.x = x_.data(), .n_rows = n_rows, .n_in = n_columns}; }
  XTerms terms(int n_rows, int n_columns) const {
    return {.terms = terms_.data(),
            .sums = sums_.data(),
            .n_terms = 1,
            .n_rows = parts_of(n_rows, kColumnsOfTile) * kColumnsOfTile,
            .n_columns = n_columns};
  }

  const Stream stream_;
  const DeviceArray<float> x_, y_;
  const DeviceArray<uint16_t> terms_;
  const DeviceArray<uint32_t> sums_;
  const DeviceArray<float> partial_;
  const DeviceArray<uint32_t> n_arrived_;
};

}  // namespace

void bench_ranges(Bench& bench) {
  constexpr const char* kSubject = "matmul_ranges";
  if (!bench.wants(kSubject, "")) return;
  Room room(bench);
  for (const Shape& shape : {Shape{4096, 4096}, Shape{6144, 4096}, Shape{4096, 14336}}) {
    const FileMatrix matrix(kType, shape);
    std::vector<std::unique_ptr<Weight>> copies;
    do copies.push_back(bench.ops().prepare(matrix.all()));
    while (static_cast<int>(copies.size()) < bench.copies_of(static_cast<double>(copies[0]->bytes())));
    for (const int n_rows : {1, 8, 16, 32, 64}) {
      room.split_x(n_rows, shape.n_in);
      for (const int n_ranges : {2, 3, 4, 5, 6, 8, 10, 12, 16}) {
        const double ms = bench.ms_of([&](int i) {
          const auto& weight = static_cast<const PlanarWeight&>(*copies[static_cast<size_t>(i) % copies.size()]);
          room.multiply(weight.view(), n_rows, n_ranges);
        });
        bench.report(kSubject, str(shape.n_out, "x", shape.n_in, " ", n_rows, " rows ", n_ranges, " ranges"), ms,
                     {.bytes = static_cast<double>(copies[0]->bytes())});
      }
    }
  }
}

}  // namespace ferry::gpu
