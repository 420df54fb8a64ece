// Products at the shapes of a model of eight billion weights: few rows against the card's bandwidth, counting the bytes
// of the weights, many rows against cuBLASLt on plain bf16 of the same shape.

#include <cstring>
#include <map>

#include "core/base/half.h"
#include "tests/gpu/bench.h"

namespace ferry::gpu {
namespace {

constexpr int kMostRows = 4096;

struct Shape {
  int n_out = 0, n_in = 0;
};

// A file's matrix of random codes, with scales (16-bit floats, at the places where each format has them) that keep
// products small. Its rows are those of a smaller one, over and over.
class FileMatrix {
 public:
  FileMatrix(TensorType type, const Shape& shape) : type_(type), shape_(shape) {
    const TensorFormat& format = format_of(type);
    const auto row_bytes = static_cast<size_t>(shape.n_in / format.block_values * format.block_bytes);
    bytes_.resize(row_bytes * static_cast<size_t>(shape.n_out));
    const size_t n_own = row_bytes * 16;
    uint64_t state = 88172645463325252;
    for (size_t i = 0; i < n_own; ++i) {
      state ^= state << 13, state ^= state >> 7, state ^= state << 17;
      bytes_[i] = static_cast<std::byte>(state >> 32);
    }
    for (size_t at = 0; at < n_own; at += static_cast<size_t>(format.block_bytes)) set_scales(&bytes_[at]);
    for (size_t at = n_own; at < bytes_.size(); at += n_own)
      std::memcpy(&bytes_[at], bytes_.data(), std::min(n_own, bytes_.size() - at));
  }

  MatrixSlice all() const {
    return {{type_, bytes_.data(), shape_.n_out, shape_.n_in, bytes_.size() / static_cast<size_t>(shape_.n_out)},
            0,
            shape_.n_out,
            0,
            shape_.n_in};
  }

 private:
  void set_scales(std::byte* block) const {
    const auto put = [&](size_t offset, float value) {
      const uint16_t half = f16_of_f32(value);
      std::memcpy(block + offset, &half, sizeof half);
    };
    switch (type_) {
      case TensorType::bf16:  // between 0.008 and 0.03
        block[1] = (block[1] & std::byte{0x80}) | std::byte{0x3c};
        break;
      case TensorType::q6_k:
        put(208, 0.001f);
        break;
      case TensorType::q4_1:
      case TensorType::q4_k:
        put(2, 0.01f);
        [[fallthrough]];
      default:
        put(0, 0.01f);
    }
  }

  const TensorType type_;
  const Shape shape_;
  std::vector<std::byte> bytes_;
};

class Products {
 public:
  Products(Bench& bench, TensorType type, const Shape& shape, const DeviceArray<float>& x)
      : bench_(bench), type_(type), shape_(shape), x_(x) {
    const FileMatrix matrix(type, shape);
    copies_.push_back(bench.ops().prepare(matrix.all()));
    const int n_copies = bench.copies_of(static_cast<double>(copies_[0]->bytes()));
    while (static_cast<int>(copies_.size()) < n_copies) copies_.push_back(bench.ops().prepare(matrix.all()));
  }

  void time(int n_rows, double limit_tflop_s) {
    const std::string name = name_of(n_rows);
    const DeviceArray<float> y(bench_.device(), static_cast<size_t>(n_rows) * static_cast<size_t>(shape_.n_out));
    const double ms = bench_.ms_of([&](int i) {
      const Weight& w = *copies_[static_cast<size_t>(i) % copies_.size()];
      bench_.ops().matmul({.w = &w, .x = x_.data(), .y = y.data(), .n_rows = n_rows});
    });
    Work work;
    if (limit_tflop_s > 0) {
      work = {.flops = 2.0 * n_rows * shape_.n_out * shape_.n_in, .limit = limit_tflop_s};
    } else {
      work = {.bytes = static_cast<double>(copies_[0]->bytes())};
    }
    bench_.report(limit_tflop_s > 0 ? "matmul_many" : "matmul_few", name, ms, work);
  }

  std::string name_of(int n_rows) const {
    return std::string(format_of(type_).name) + " " + std::to_string(shape_.n_out) + "x" + std::to_string(shape_.n_in) +
           " " + std::to_string(n_rows) + " rows";
  }

 private:
  Bench& bench_;
  const TensorType type_;
  const Shape shape_;
  const DeviceArray<float>& x_;
  std::vector<std::unique_ptr<Weight>> copies_;
};

}  // namespace

void bench_matmul(Bench& bench) {
  if (!bench.wants("matmul_few", "") && !bench.wants("matmul_many", "")) return;
  const DeviceArray<float> x = bench.random_floats(size_t{kMostRows} * 14336, 1);
  for (const Shape& shape :
       {Shape{4096, 4096}, Shape{1024, 4096}, Shape{14336, 4096}, Shape{4096, 14336}, Shape{128256, 4096}}) {
    const bool is_output = shape.n_out > 100000;  // only of the last row of a prompt
    std::map<int, double> limits;
    for (const int n_rows : {512, 2048, kMostRows}) {
      if (!is_output) limits[n_rows] = bench.gemm_tflop_s(n_rows, shape.n_out, shape.n_in);
    }
    for (const TensorType type :
         {TensorType::q4_0, TensorType::q4_1, TensorType::q4_k, TensorType::q6_k, TensorType::q8_0, TensorType::bf16}) {
      Products products(bench, type, shape, x);
      for (const int n_rows : {1, 8, 16, 32, 64}) products.time(n_rows, 0);
      for (const auto& [n_rows, limit] : limits) products.time(n_rows, limit);
    }
  }
}

}  // namespace ferry::gpu
