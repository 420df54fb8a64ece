#pragma once
// Matrices as files have them, of any size, to time products with.

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/base/half.h"
#include "core/model/tensor.h"

namespace ferry::gpu {

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

}  // namespace ferry::gpu
