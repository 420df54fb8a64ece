#pragma once
// How a matrix lies on a card: the codes and scales of its file, about as many bytes, in the order in which a warp
// multiplies them. A tile is 16 rows; a group 32 columns, from the file's block that holds the slice's first column; a
// step what a warp takes of a tile at once: four groups (of f32 two), contiguous, in whole pieces of 16 bytes. Columns
// are padded to 128, in every format, and rows to 16, with zeros.
//
// Lane l of a warp has, with g = l / 4 and t = l % 4, of rows g and g + 8 of a tile the columns 4t … 4t + 3 and
// 16 + 4t … 16 + 4t + 3 of a group: four pairs of neighbours, two for each of its products of 16 columns.
//
// steps         [n_tiles][n_steps] of
//   codes         4, 5, 6 bits   u32 [group][lane][2 rows]: the low four bits of pair p at bits 4p and 16 + 4p
//                 8 bits         u32 [group][lane][2 rows][2 pairs of pairs]: the first pair in bytes 0 and 2, the
//                                second in bytes 1 and 3
//                 f16            [group][2 rows][lane][4 pairs]
//                 f32            [group][2 rows][2 halves of 16 columns][lane][4 columns]
//   high bits     5 bits         u32 [two groups][lane]: of group % 2, row r and pair p at bits 8 · (group % 2) + 4r +
//   p,
//                                and 16 higher
//                 6 bits         u32 [group][lane]: of row r and pair p at bits 8r + 2p, and 16 higher
//   scales        [group][g][2 rows]: f16; f16 pairs with a minimum; u8 pairs, scale and minimum (q4_k, q5_k); i8
//   pairs,
//                 of columns 0 … 15 and 16 … 31 (q6_k)
// block_scales  [n_tiles][n_steps / 2][g][2 rows]: of 256 columns, f16 pairs, scale and minimum (q4_k, q5_k), or f16
//
// bf16 is as cuBLASLt reads it, too: rows [n_tiles · 16][n_steps · 128], where the columns of a group come lane by
// lane.

#include <cstdint>
#include <type_traits>

#include "core/seam/device.h"
#include "core/seam/ops.h"
#include "kernels/cpu/packed_format.h"
#include "kernels/cuda/launch_shape.h"

namespace ferry::cuda {

enum class Codes : uint8_t { four, five, six, eight, f16, bf16, f32 };

constexpr int kTileRows = 16;
constexpr int kGroupColumns = 32;

constexpr Codes codes_of(TensorType type) {
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

constexpr PackedFormat form_of(TensorType type) {
  for (const PackedFormat& form : kPackedFormats) {
    if (form.type == type) return form;
  }
  return {};
}

struct StepShape {
  int n_groups = 4;
  int high_at = 0;  // bytes from the step's beginning on
  int scales_at = 0;
  int bytes = 0;
  int block_bytes = 0;  // of a tile's block scales

  constexpr int n_columns() const { return n_groups * kGroupColumns; }
};

constexpr StepShape step_of(TensorType type) {
  const Codes codes = codes_of(type);
  const ScaleKind kind = form_of(type).kind;
  const bool is_plain = kind == ScaleKind::plain;
  const int code_bits = codes == Codes::f32 ? 32 : is_plain ? 16 : codes == Codes::eight ? 8 : 4;
  const int high_bits = codes == Codes::five ? 1 : codes == Codes::six ? 2 : 0;
  const int scale_bytes = is_plain ? 0 : kind == ScaleKind::scale_and_minimum ? 4 : 2;

  StepShape step{.n_groups = codes == Codes::f32 ? 2 : 4};
  step.high_at = step.n_groups * kTileRows * kGroupColumns * code_bits / 8;
  step.scales_at = step.high_at + step.n_groups * kTileRows * kGroupColumns * high_bits / 8;
  step.bytes = step.scales_at + step.n_groups * kTileRows * scale_bytes;
  step.block_bytes = kind == ScaleKind::grouped ? 4 * kTileRows : kind == ScaleKind::grouped_signed ? 2 * kTileRows : 0;
  return step;
}

// f(type), where `type` is a constant of the type system: what is compiled for each is chosen here.
template <class F>
void with_type(TensorType type, const F& f) {
  switch (type) {
    case TensorType::f32:
      return f(std::integral_constant<TensorType, TensorType::f32>());
    case TensorType::f16:
      return f(std::integral_constant<TensorType, TensorType::f16>());
    case TensorType::bf16:
      return f(std::integral_constant<TensorType, TensorType::bf16>());
    case TensorType::q8_0:
      return f(std::integral_constant<TensorType, TensorType::q8_0>());
    case TensorType::q4_0:
      return f(std::integral_constant<TensorType, TensorType::q4_0>());
    case TensorType::q4_1:
      return f(std::integral_constant<TensorType, TensorType::q4_1>());
    case TensorType::q5_0:
      return f(std::integral_constant<TensorType, TensorType::q5_0>());
    case TensorType::q5_1:
      return f(std::integral_constant<TensorType, TensorType::q5_1>());
    case TensorType::q4_k:
      return f(std::integral_constant<TensorType, TensorType::q4_k>());
    case TensorType::q5_k:
      return f(std::integral_constant<TensorType, TensorType::q5_k>());
    case TensorType::q6_k:
      return f(std::integral_constant<TensorType, TensorType::q6_k>());
  }
}

struct WeightView {
  const std::byte* steps = nullptr;
  const std::byte* block_scales = nullptr;
  TensorType type = TensorType::f32;
  int n_rows = 0;
  int n_cols = 0;
  int n_tiles = 0;
  int n_steps = 0;
  int n_groups = 0;   // in all steps; a card cannot ask step_of() of what is no constant
  int first_col = 0;  // in the first group
};

WeightView shape_of(const MatrixSlice& slice);  // without memory

class PlanarWeight final : public Weight {
 public:
  // The device outlives it.
  PlanarWeight(const MatrixSlice& slice, Device& device);
  // Of values that are there: bf16 [n_tiles · 16][n_steps · 128].
  PlanarWeight(const WeightView& bf16_shape, DeviceArray<std::byte> values);

  int n_rows() const override { return view_.n_rows; }
  int n_cols() const override { return view_.n_cols; }
  size_t bytes() const override { return memory_.size(); }
  const WeightView& view() const { return view_; }

 private:
  WeightView view_;
  DeviceArray<std::byte> memory_;
};

}  // namespace ferry::cuda
