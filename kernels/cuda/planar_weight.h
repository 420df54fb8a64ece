#pragma once
// How a matrix lies on a card: the codes and scales of its file, about as many bytes, in the order in which a warp
// multiplies them. A tile is 16 rows, a group 32 columns from the file's block that holds the slice's first column.
// Lane l of a warp takes, with g = l / 4 and t = l % 4, of rows g and g + 8 of a tile the columns 4t … 4t + 3 and
// 16 + 4t … 16 + 4t + 3 of a group: what the two products of 16 columns want of it. All that a warp loads is
// contiguous.
//
// codes       [n_tiles][n_groups][lane][row g, row g + 8] words; within a row's words:
//   4, 5, 6 bits   one: byte i has column 4t + i in its low and column 16 + 4t + i in its high four bits
//   8 bits         two: columns 4t …, columns 16 + 4t …
//   16 bits        four: columns (0, 2), (1, 3) from 4t on, (0, 2), (1, 3) from 16 + 4t on
//   f32            eight, in that order
// high        the fifth bits, u8 [n_tiles][n_groups][lane][2 rows]; the fifth and sixth, u16: column i of the lane's
//             eight at bit i or 2i
// scales      f16 [n_tiles][n_blocks][16 rows], with a minimum f16 pairs; a block is 32 or 256 columns
// own_scales  u8 pairs [n_tiles][n_groups][16 rows]: scale and minimum (q4_k, q5_k), or the scales of columns 0 … 15
//             and 16 … 31 as i8 (q6_k)

#include <cstdint>
#include <type_traits>

#include "core/seam/device.h"
#include "core/seam/ops.h"
#include "kernels/cpu/packed_format.h"

namespace ferry::cuda {

enum class Codes : uint8_t { four, five, six, eight, f16, bf16, f32 };

constexpr int kTileRows = 16;
constexpr int kGroupColumns = 32;

constexpr int words_of_row(Codes codes) {  // in a lane
  switch (codes) {
    case Codes::four:
    case Codes::five:
    case Codes::six:
      return 1;
    case Codes::eight:
      return 2;
    case Codes::f16:
    case Codes::bf16:
      return 4;
    case Codes::f32:
      break;
  }
  return 8;
}

// f(codes), where `codes` is a constant of the type system: what is compiled for each is chosen here.
template <class F>
void with_codes(Codes codes, const F& f) {
  switch (codes) {
    case Codes::four:
      return f(std::integral_constant<Codes, Codes::four>());
    case Codes::five:
      return f(std::integral_constant<Codes, Codes::five>());
    case Codes::six:
      return f(std::integral_constant<Codes, Codes::six>());
    case Codes::eight:
      return f(std::integral_constant<Codes, Codes::eight>());
    case Codes::f16:
      return f(std::integral_constant<Codes, Codes::f16>());
    case Codes::bf16:
      return f(std::integral_constant<Codes, Codes::bf16>());
    case Codes::f32:
      return f(std::integral_constant<Codes, Codes::f32>());
  }
}

struct WeightView {
  const uint32_t* codes = nullptr;
  const std::byte* high = nullptr;
  const uint16_t* scales = nullptr;
  const uint16_t* own_scales = nullptr;
  Codes format = Codes::f32;
  ScaleKind kind = ScaleKind::plain;
  int bias = 0;  // a code is that much more than it means
  int groups_of_block = 1;
  int n_rows = 0;
  int n_cols = 0;
  int n_tiles = 0;
  int n_groups = 0;
  int first_col = 0;  // in the first group
};

class PlanarWeight final : public Weight {
 public:
  // The device outlives it.
  PlanarWeight(const MatrixSlice& slice, Device& device);

  int n_rows() const override { return view_.n_rows; }
  int n_cols() const override { return view_.n_cols; }
  size_t bytes() const override { return memory_.size(); }
  const WeightView& view() const { return view_; }

 private:
  WeightView view_;
  DeviceArray<std::byte> memory_;
};

}  // namespace ferry::cuda
