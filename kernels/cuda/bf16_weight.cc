#include "kernels/cuda/bf16_weight.h"

#include <algorithm>
#include <utility>

#include "kernels/cuda/dequantize.h"

namespace ferry::cuda {
namespace {

// Whole tiles.
int rows_of_part(const WeightView& shape, size_t part_bytes) {
  const StepShape step = step_of(shape.type);
  const auto n_steps = static_cast<size_t>(shape.n_steps);
  const size_t tile_bytes =
      n_steps * static_cast<size_t>(step.bytes) + n_steps / 2 * static_cast<size_t>(step.block_bytes);
  const size_t n_tiles = std::max(part_bytes / std::max(tile_bytes, size_t{1}), size_t{1});
  return static_cast<int>(std::min(n_tiles, static_cast<size_t>(shape.n_tiles))) * kTileRows;
}

}  // namespace

std::unique_ptr<PlanarWeight> bf16_weight(const MatrixSlice& slice, size_t part_bytes, Device& device, Stream stream) {
  const WeightView in_file = shape_of(slice);
  WeightView shape = in_file;
  shape.type = TensorType::bf16;
  shape.n_steps = in_file.n_groups / step_of(TensorType::bf16).n_groups;

  const auto n_columns = static_cast<size_t>(in_file.n_groups * kGroupColumns);
  const auto n_rows = static_cast<size_t>(in_file.n_tiles * kTileRows);
  DeviceArray<std::byte> values(device, n_rows * n_columns * sizeof(uint16_t));
  const int n_at_once = rows_of_part(in_file, part_bytes);
  for (int row = 0; row < slice.n_rows(); row += n_at_once) {
    MatrixSlice rows = slice;
    rows.row_begin = slice.row_begin + row;
    rows.row_end = std::min(slice.row_end, rows.row_begin + n_at_once);
    const PlanarWeight part(rows, device);
    auto* const to = reinterpret_cast<uint16_t*>(values.data()) + static_cast<size_t>(row) * n_columns;
    launch_dequantize({.w = part.view(), .n_rows = rows.n_rows(), .to = to}, stream);
    device.wait();  // then the part may go
  }
  return std::make_unique<PlanarWeight>(shape, std::move(values));
}

}  // namespace ferry::cuda
