#include "kernels/cuda/planar_weight.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "core/base/check.h"
#include "kernels/cpu/block_parts.h"
#include "kernels/cuda/launch_shape.h"

namespace ferry::cuda {
namespace {

constexpr size_t kAlignment = 256;  // of each plane

const PackedFormat& form_of(TensorType type) {
  const auto* found = std::ranges::find(kPackedFormats, type, &PackedFormat::type);
  check(found != std::end(kPackedFormats), "a tensor type that the kernels know");
  return *found;
}

Codes codes_of(TensorType type) {
  switch (type) {
    case TensorType::f32:
      return Codes::f32;
    case TensorType::f16:
      return Codes::f16;
    case TensorType::bf16:
      return Codes::bf16;
    case TensorType::q8_0:
      return Codes::eight;
    case TensorType::q5_0:
    case TensorType::q5_1:
    case TensorType::q5_k:
      return Codes::five;
    case TensorType::q6_k:
      return Codes::six;
    case TensorType::q4_0:
    case TensorType::q4_1:
    case TensorType::q4_k:
      break;
  }
  return Codes::four;
}

WeightView shape_of(const MatrixSlice& slice) {
  const PackedFormat& form = form_of(slice.whole.type);
  const bool is_plain = form.kind == ScaleKind::plain;
  const int block = is_plain ? 1 : form.group_columns();
  const int skipped = slice.col_begin / block * block;
  const int n_columns = parts_of(slice.col_end - skipped, block) * block;
  return {.format = codes_of(slice.whole.type),
          .kind = form.kind,
          .bias = form.bias,
          .groups_of_block = is_plain ? 1 : block / kGroupColumns,
          .n_rows = slice.n_rows(),
          .n_cols = slice.n_cols(),
          .n_tiles = parts_of(slice.n_rows(), kTileRows),
          .n_groups = parts_of(n_columns, kGroupColumns),
          .first_col = slice.col_begin - skipped};
}

// Which lane has a column of a group, and as which of its eight.
struct Place {
  size_t t = 0;
  size_t i = 0;
};
Place place_of(size_t column) { return {column % 16 / 4, column / 16 * 4 + column % 4}; }

// The order of a lane's eight columns in words of 16 or 32 bits.
constexpr std::array<size_t, 8> kPlainOrder = {0, 2, 1, 3, 4, 6, 5, 7};

size_t in_plane_order(size_t i) { return kPlainOrder[i]; }  // its own inverse

// The planes, on the host.
class Planes {
 public:
  explicit Planes(const WeightView& shape) : shape_(shape) {
    const auto n_groups = static_cast<size_t>(shape.n_tiles) * static_cast<size_t>(shape.n_groups);
    const size_t n_blocks = n_groups / static_cast<size_t>(shape.groups_of_block);
    const bool is_grouped = shape.kind == ScaleKind::grouped || shape.kind == ScaleKind::grouped_signed;
    has_pairs_ = is_grouped || shape.kind == ScaleKind::scale_and_minimum;
    high_bytes_ = shape.format == Codes::five ? 1 : shape.format == Codes::six ? 2 : 0;
    n_words_ = static_cast<size_t>(words_of_row(shape.format));
    high_at_ = add(n_groups * kWarp * 2 * n_words_ * sizeof(uint32_t));
    scales_at_ = add(n_groups * kWarp * 2 * high_bytes_);
    own_scales_at_ =
        add(shape.kind == ScaleKind::plain ? 0 : n_blocks * kTileRows * (has_pairs_ ? 2 : 1) * sizeof(uint16_t));
    add(is_grouped ? n_groups * kTileRows * sizeof(uint16_t) : 0);
  }

  const std::vector<std::byte>& bytes() const { return bytes_; }
  void point_into(std::byte* memory, WeightView& view) const {
    view.codes = reinterpret_cast<const uint32_t*>(memory);
    view.high = memory + high_at_;
    view.scales = reinterpret_cast<const uint16_t*>(memory + scales_at_);
    view.own_scales = reinterpret_cast<const uint16_t*>(memory + own_scales_at_);
  }

  void put_block(const BlockParts& parts, int row, int block) {
    const auto tile = static_cast<size_t>(row / kTileRows), r = static_cast<size_t>(row % kTileRows);
    const auto groups_of_block = static_cast<size_t>(shape_.groups_of_block);
    const size_t first = tile * static_cast<size_t>(shape_.n_groups) + static_cast<size_t>(block) * groups_of_block;
    std::byte* scale = &bytes_[scales_at_ + (first / groups_of_block * kTileRows + r) * (has_pairs_ ? 4 : 2)];
    std::memcpy(scale, &parts.scale, sizeof parts.scale);
    if (has_pairs_) std::memcpy(scale + 2, &parts.minimum, sizeof parts.minimum);
    for (size_t g = 0; g < groups_of_block; ++g) {
      put_own_scales(parts, g, (first + g) * kTileRows + r);
      for (size_t c = 0; c < kGroupColumns; ++c) put_code(parts.codes[g * kGroupColumns + c], first + g, r, c);
    }
  }

  void put_plain(const std::byte* value, int row, int column) {
    const Place place = place_of(static_cast<size_t>(column % kGroupColumns));
    const size_t value_bytes = shape_.format == Codes::f32 ? 4 : 2;
    std::memcpy(words_at(group_of(row, column), static_cast<size_t>(row % kTileRows), place.t) +
                    in_plane_order(place.i) * value_bytes,
                value, value_bytes);
  }

 private:
  size_t add(size_t n_bytes) {  // where the next plane begins
    bytes_.resize((bytes_.size() + n_bytes + kAlignment - 1) / kAlignment * kAlignment);
    return bytes_.size();
  }
  size_t group_of(int row, int column) const {
    return static_cast<size_t>(row / kTileRows) * static_cast<size_t>(shape_.n_groups) +
           static_cast<size_t>(column / kGroupColumns);
  }
  static size_t lane_and_half(size_t group, size_t row, size_t t) {
    return (group * kWarp + row % 8 * 4 + t) * 2 + row / 8;
  }
  std::byte* words_at(size_t group, size_t row, size_t t) {
    return &bytes_[lane_and_half(group, row, t) * n_words_ * sizeof(uint32_t)];
  }

  void put_own_scales(const BlockParts& parts, size_t group, size_t at) {
    std::byte* own = bytes_.data() + own_scales_at_ + at * sizeof(uint16_t);
    if (shape_.kind == ScaleKind::grouped) {
      own[0] = static_cast<std::byte>(parts.own_scales[group]);
      own[1] = static_cast<std::byte>(parts.own_minimums[group]);
    } else if (shape_.kind == ScaleKind::grouped_signed) {
      std::memcpy(own, &parts.own_scales[2 * group], 2);
    }
  }

  void put_code(unsigned code, size_t group, size_t row, size_t column) {
    const Place place = place_of(column);
    std::byte* words = words_at(group, row, place.t);
    if (shape_.format == Codes::eight) {
      words[place.i] = static_cast<std::byte>(code);
      return;
    }
    words[place.i % 4] |= static_cast<std::byte>((code & 15) << (place.i / 4 * 4));
    const unsigned above = code >> 4 << (place.i * high_bytes_);
    std::byte* high = bytes_.data() + high_at_ + lane_and_half(group, row, place.t) * high_bytes_;
    for (size_t b = 0; b < high_bytes_; ++b) high[b] |= static_cast<std::byte>(above >> (8 * b));
  }

  const WeightView& shape_;
  std::vector<std::byte> bytes_;
  bool has_pairs_ = false;
  size_t n_words_ = 0, high_bytes_ = 0;  // of a lane's row
  size_t high_at_ = 0, scales_at_ = 0, own_scales_at_ = 0;
};

void fill_quantized(const MatrixSlice& slice, const WeightView& shape, Planes& planes) {
  BlockTaker taker(form_of(slice.whole.type));
  const auto block_bytes = static_cast<size_t>(format_of(slice.whole.type).block_bytes);
  const int block_columns = shape.groups_of_block * kGroupColumns;
  const int first_block = slice.col_begin / block_columns, n_blocks = shape.n_groups / shape.groups_of_block;
  for (int row = 0; row < shape.n_rows; ++row) {
    const std::byte* blocks = slice.whole.data + static_cast<size_t>(slice.row_begin + row) * slice.whole.row_bytes +
                              static_cast<size_t>(first_block) * block_bytes;
    for (int b = 0; b < n_blocks; ++b)
      planes.put_block(taker.parts_of(blocks + static_cast<size_t>(b) * block_bytes), row, b);
  }
}

void fill_plain(const MatrixSlice& slice, const WeightView& shape, Planes& planes) {
  const auto value_bytes = static_cast<size_t>(format_of(slice.whole.type).block_bytes);
  for (int row = 0; row < shape.n_rows; ++row) {
    const std::byte* values = slice.whole.data + static_cast<size_t>(slice.row_begin + row) * slice.whole.row_bytes +
                              static_cast<size_t>(slice.col_begin) * value_bytes;
    for (int c = 0; c < shape.n_cols; ++c) planes.put_plain(values + static_cast<size_t>(c) * value_bytes, row, c);
  }
}

}  // namespace

PlanarWeight::PlanarWeight(const MatrixSlice& slice, Device& device) : view_(shape_of(slice)) {
  Planes planes(view_);
  (view_.kind == ScaleKind::plain ? fill_plain : fill_quantized)(slice, view_, planes);
  memory_ = DeviceArray<std::byte>(device, planes.bytes());
  planes.point_into(memory_.data(), view_);
}

}  // namespace ferry::cuda
