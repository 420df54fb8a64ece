#include "kernels/cuda/planar_weight.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/cpu/block_parts.h"

namespace ferry::cuda {

WeightView shape_of(const MatrixSlice& slice) {
  constexpr int kWhole = 4 * kGroupColumns;  // in every format: dequantized rows are those of a bf16 weight
  const TensorType type = slice.whole.type;
  const PackedFormat form = form_of(type);
  const int block = form.kind == ScaleKind::plain ? 1 : form.group_columns();
  const int skipped = slice.col_begin / block * block;
  const int n_columns = parts_of(slice.col_end - skipped, block) * block;
  const StepShape step = step_of(type);
  const int n_steps = parts_of(n_columns, kWhole) * (kWhole / step.n_columns());
  return {.type = type,
          .n_rows = slice.n_rows(),
          .n_cols = slice.n_cols(),
          .n_tiles = parts_of(slice.n_rows(), kTileRows),
          .n_steps = n_steps,
          .n_groups = n_steps * step.n_groups,
          .first_col = slice.col_begin - skipped};
}

namespace {

constexpr size_t kAlignment = 256;  // of each array

// Where one row's part of a group goes.
struct Place {
  std::byte* step = nullptr;
  size_t group = 0;   // of the step
  size_t row = 0;     // of the eight that lanes differ in
  size_t second = 0;  // 1: it is row g + 8
};

// One value of 32, in the order in which lanes have them.
constexpr size_t in_lane_order(size_t column) { return column % 16 / 4 * 8 + column / 16 * 4 + column % 4; }

void or_into(std::byte* word, uint32_t bits) {
  uint32_t value = 0;
  std::memcpy(&value, word, sizeof value);
  value |= bits;
  std::memcpy(word, &value, sizeof value);
}

// codes [32] of one row and group.
void put_codes(const uint8_t* codes, TensorType type, const Place& place) {
  const Codes form = codes_of(type);
  const auto high_at = static_cast<size_t>(step_of(type).high_at);
  for (size_t t = 0; t < 4; ++t) {
    const size_t lane = place.group * kWarp + place.row * 4 + t;
    for (size_t p = 0; p < 4; ++p) {
      const uint32_t low = codes[p / 2 * 16 + t * 4 + p % 2 * 2], next = codes[p / 2 * 16 + t * 4 + p % 2 * 2 + 1];
      if (form == Codes::eight) {
        or_into(place.step + (lane * 4 + place.second * 2 + p / 2) * 4, (low | next << 16) << (p % 2 * 8));
        continue;
      }
      or_into(place.step + (lane * 2 + place.second) * 4, ((low & 15) | (next & 15) << 16) << (4 * p));
      const uint32_t high = low >> 4 | next >> 4 << 16;
      if (form == Codes::five) {
        or_into(place.step + high_at + (place.group / 2 * kWarp + lane % kWarp) * 4,
                high << (place.group % 2 * 8 + place.second * 4 + p));
      } else if (form == Codes::six) {
        or_into(place.step + high_at + lane * 4, high << (place.second * 8 + p * 2));
      }
    }
  }
}

// The arrays, on the host.
class Arrays {
 public:
  explicit Arrays(const WeightView& shape) : shape_(shape), step_(step_of(shape.type)) {
    const auto n_steps = static_cast<size_t>(shape.n_tiles) * static_cast<size_t>(shape.n_steps);
    block_scales_at_ = rounded(n_steps * static_cast<size_t>(step_.bytes));
    bytes_.resize(block_scales_at_ + rounded(n_steps / 2 * static_cast<size_t>(step_.block_bytes)));
  }

  const std::vector<std::byte>& bytes() const { return bytes_; }
  void point_into(std::byte* memory, WeightView& view) const {
    view.steps = memory;
    view.block_scales = memory + block_scales_at_;
  }

  void put_block(const BlockParts& parts, int row, int block) {
    const int n_groups = form_of(shape_.type).group_columns() / kGroupColumns;
    for (int g = 0; g < n_groups; ++g) {
      const Place place = place_of(row, block * n_groups + g);
      put_scales(parts, static_cast<size_t>(g), place);
      put_codes(&parts.codes[static_cast<size_t>(g * kGroupColumns)], shape_.type, place);
    }
    if (step_.block_bytes == 0) return;
    const auto scale_bytes = static_cast<size_t>(step_.block_bytes / kTileRows);
    const size_t tile = static_cast<size_t>(row / kTileRows) * static_cast<size_t>(shape_.n_steps / 2);
    const auto r = static_cast<size_t>(row % kTileRows);
    std::byte* to =
        &bytes_[block_scales_at_ + (tile + static_cast<size_t>(block)) * static_cast<size_t>(step_.block_bytes) +
                (r % 8 * 2 + r / 8) * scale_bytes];
    std::memcpy(to, &parts.scale, 2);
    if (scale_bytes == 4) std::memcpy(to + 2, &parts.minimum, 2);
  }

  void put_plain(const std::byte* value, int row, int column) {
    const size_t at = in_lane_order(static_cast<size_t>(column % kGroupColumns)), t = at / 8, i = at % 8;
    if (shape_.type == TensorType::bf16) {
      const size_t n_columns = static_cast<size_t>(shape_.n_steps * step_.n_columns());
      const auto group = static_cast<size_t>(column / kGroupColumns * kGroupColumns);
      std::memcpy(&bytes_[(static_cast<size_t>(row) * n_columns + group + at) * 2], value, 2);
      return;
    }
    const Place place = place_of(row, column / kGroupColumns);
    const size_t lane = place.row * 4 + t, of_row = place.group * 2 + place.second;
    if (shape_.type == TensorType::f16) {
      std::memcpy(place.step + ((of_row * kWarp + lane) * 8 + i) * 2, value, 2);
    } else {
      std::memcpy(place.step + (((of_row * 2 + i / 4) * kWarp + lane) * 4 + i % 4) * 4, value, 4);
    }
  }

 private:
  static size_t rounded(size_t n_bytes) { return (n_bytes + kAlignment - 1) / kAlignment * kAlignment; }

  Place place_of(int row, int group) {
    const size_t step = static_cast<size_t>(row / kTileRows) * static_cast<size_t>(shape_.n_steps) +
                        static_cast<size_t>(group / step_.n_groups);
    const auto r = static_cast<size_t>(row % kTileRows);
    return {&bytes_[step * static_cast<size_t>(step_.bytes)], static_cast<size_t>(group % step_.n_groups), r % 8,
            r / 8};
  }

  // `group` of the block.
  void put_scales(const BlockParts& parts, size_t group, const Place& place) const {
    std::byte* scales = place.step + step_.scales_at;
    const size_t at = (place.group * 8 + place.row) * 2 + place.second;
    switch (form_of(shape_.type).kind) {
      case ScaleKind::scale:
        std::memcpy(scales + at * 2, &parts.scale, 2);
        break;
      case ScaleKind::scale_and_minimum:
        std::memcpy(scales + at * 4, &parts.scale, 2);
        std::memcpy(scales + at * 4 + 2, &parts.minimum, 2);
        break;
      case ScaleKind::grouped:
        scales[at * 2] = static_cast<std::byte>(parts.own_scales[group]);
        scales[at * 2 + 1] = static_cast<std::byte>(parts.own_minimums[group]);
        break;
      case ScaleKind::grouped_signed:
        std::memcpy(scales + at * 2, &parts.own_scales[2 * group], 2);
        break;
      case ScaleKind::plain:
        break;
    }
  }

  const WeightView& shape_;
  const StepShape step_;
  size_t block_scales_at_ = 0;
  std::vector<std::byte> bytes_;
};

struct Rows {
  int begin = 0, end = 0;
};

void fill_quantized(const MatrixSlice& slice, const Rows& rows, const WeightView& shape, Arrays& arrays) {
  const PackedFormat form = form_of(shape.type);
  BlockTaker taker(form);
  const auto block_bytes = static_cast<size_t>(format_of(shape.type).block_bytes);
  const int first_block = slice.col_begin / form.group_columns();
  const int n_blocks = parts_of(slice.col_end, form.group_columns()) - first_block;
  for (int row = rows.begin; row < rows.end; ++row) {
    const std::byte* blocks = slice.whole.data + static_cast<size_t>(slice.row_begin + row) * slice.whole.row_bytes +
                              static_cast<size_t>(first_block) * block_bytes;
    for (int b = 0; b < n_blocks; ++b)
      arrays.put_block(taker.parts_of(blocks + static_cast<size_t>(b) * block_bytes), row, b);
  }
}

void fill_plain(const MatrixSlice& slice, const Rows& rows, const WeightView& shape, Arrays& arrays) {
  const auto value_bytes = static_cast<size_t>(format_of(shape.type).block_bytes);
  for (int row = rows.begin; row < rows.end; ++row) {
    const std::byte* values = slice.whole.data + static_cast<size_t>(slice.row_begin + row) * slice.whole.row_bytes +
                              static_cast<size_t>(slice.col_begin) * value_bytes;
    for (int c = 0; c < shape.n_cols; ++c) arrays.put_plain(values + static_cast<size_t>(c) * value_bytes, row, c);
  }
}

// Tiles are apart from each other: threads share them out.
void fill(const MatrixSlice& slice, const WeightView& shape, Arrays& arrays) {
  const auto fill_rows = form_of(shape.type).kind == ScaleKind::plain ? &fill_plain : &fill_quantized;
  constexpr int64_t kValuesOfAThread = 1 << 20;
  const int64_t n_useful = int64_t{shape.n_rows} * shape.n_cols / kValuesOfAThread;
  const int64_t n_cpus = std::max(1U, std::thread::hardware_concurrency());
  const int n_threads = static_cast<int>(std::clamp(n_useful, int64_t{1}, std::min(n_cpus, int64_t{16})));
  std::vector<std::jthread> threads;
  for (int i = 0; i < n_threads; ++i) {
    const auto row_of = [&](int part) {
      return std::min(shape.n_rows, static_cast<int>(int64_t{shape.n_tiles} * part / n_threads) * kTileRows);
    };
    const Rows rows{row_of(i), row_of(i + 1)};
    threads.emplace_back([&, rows] { fill_rows(slice, rows, shape, arrays); });
  }
}

}  // namespace

PlanarWeight::PlanarWeight(const MatrixSlice& slice, Device& device) : view_(shape_of(slice)) {
  Arrays arrays(view_);
  fill(slice, view_, arrays);
  memory_ = DeviceArray<std::byte>(device, arrays.bytes());
  arrays.point_into(memory_.data(), view_);
}

PlanarWeight::PlanarWeight(const WeightView& bf16_shape, DeviceArray<std::byte> values)
    : view_(bf16_shape), memory_(std::move(values)) {
  view_.steps = memory_.data();
  view_.block_scales = memory_.data() + memory_.size();
}

}  // namespace ferry::cuda
