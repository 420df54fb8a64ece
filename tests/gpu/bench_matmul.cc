// Products at the shapes of a model of eight billion weights: few rows against the card's bandwidth, counting the bytes
// of the weights, many rows against cuBLASLt on plain bf16 of the same shape.

#include <algorithm>
#include <map>

#include "core/base/error.h"
#include "tests/gpu/bench.h"
#include "tests/gpu/file_matrix.h"

namespace ferry::gpu {
namespace {

constexpr const char* kFew = "matmul_few";
constexpr const char* kMany = "matmul_many";

std::string name_of(TensorType type, const Shape& shape, int n_rows) {
  return str(format_of(type).name, " ", shape.n_out, "x", shape.n_in, " ", n_rows, " rows");
}

// One matrix, in as many copies as the cache does not hold.
class Products {
 public:
  Products(Bench& bench, TensorType type, const Shape& shape, const DeviceArray<float>& x)
      : bench_(bench), type_(type), shape_(shape), x_(x) {
    const FileMatrix matrix(type, shape);
    copies_.push_back(bench.ops().prepare(matrix.all()));
    const int n_copies = bench.copies_of(static_cast<double>(copies_[0]->bytes()));
    while (static_cast<int>(copies_.size()) < n_copies) copies_.push_back(bench.ops().prepare(matrix.all()));
  }

  // Against bandwidth where no other limit is given.
  void time(int n_rows, double limit_tflop_s = 0) {
    const std::string name = name_of(type_, shape_, n_rows);
    const bool is_many = limit_tflop_s > 0;
    if (!bench_.wants(is_many ? kMany : kFew, name)) return;
    const DeviceArray<float> y(bench_.device(), static_cast<size_t>(n_rows) * static_cast<size_t>(shape_.n_out));
    const double ms = bench_.ms_of([&](int i) {
      const Weight& w = *copies_[static_cast<size_t>(i) % copies_.size()];
      bench_.ops().matmul({.w = &w, .x = x_.data(), .y = y.data(), .n_rows = n_rows});
    });
    const double n_flops = 2.0 * n_rows * shape_.n_out * shape_.n_in;
    const Work many = {.flops = n_flops, .limit = limit_tflop_s};
    const Work few = {.bytes = static_cast<double>(copies_[0]->bytes())};
    bench_.report(is_many ? kMany : kFew, name, ms, is_many ? many : few);
  }

 private:
  Bench& bench_;
  const TensorType type_;
  const Shape shape_;
  const DeviceArray<float>& x_;
  std::vector<std::unique_ptr<Weight>> copies_;
};

constexpr TensorType kTypes[] = {TensorType::q4_0, TensorType::q4_1, TensorType::q4_k,
                                 TensorType::q6_k, TensorType::q8_0, TensorType::bf16};
constexpr int kRows[] = {1, 8, 16, 32, 64, 512, 2048, 4096};
constexpr int kMostFewRows = 64, kMostRows = 4096;

void bench_shape(Bench& bench, const Shape& shape, const DeviceArray<float>& x) {
  const bool is_output = shape.n_out > 100000;  // which multiplies only the last rows of prompts
  std::map<int, double> limits;
  const auto limit_of = [&](int n_rows) {
    if (!limits.contains(n_rows)) limits[n_rows] = bench.gemm_tflop_s(n_rows, shape.n_out, shape.n_in);
    return limits[n_rows];
  };
  for (const TensorType type : kTypes) {
    const auto is_wanted = [&](int n_rows) {
      return bench.wants(n_rows > kMostFewRows ? kMany : kFew, name_of(type, shape, n_rows));
    };
    if (std::ranges::none_of(kRows, is_wanted)) continue;
    Products products(bench, type, shape, x);
    for (const int n_rows : kRows) {
      if (n_rows <= kMostFewRows) products.time(n_rows);
      if (n_rows > kMostFewRows && !is_output && is_wanted(n_rows)) products.time(n_rows, limit_of(n_rows));
    }
  }
}

}  // namespace

void bench_matmul(Bench& bench) {
  constexpr int kFfn = 14336;
  const DeviceArray<float> x = bench.random_floats(size_t{kMostRows} * kFfn, 1);
  for (const Shape& shape :
       {Shape{4096, 4096}, Shape{1024, 4096}, Shape{kFfn, 4096}, Shape{4096, kFfn}, Shape{128256, 4096}}) {
    bench_shape(bench, shape, x);
  }
}

}  // namespace ferry::gpu
