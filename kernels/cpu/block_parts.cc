#include "kernels/cpu/block_parts.h"

#include <cstring>

namespace ferry {
namespace {

constexpr uint16_t kHalfOne = 0x3c00;  // 1.0 as f16

ScalePlaces scale_places_of(TensorType type) {
  if (type == TensorType::q6_k) return {.scale = 208, .own_scales = 192};
  return {};
}

}  // namespace

BlockTaker::BlockTaker(const PackedFormat& form)
    : form_(form),
      places_(scale_places_of(form.type)),
      n_bytes_(static_cast<size_t>(format_of(form.type).block_bytes)) {}

BlockParts BlockTaker::parts_of(const std::byte* block) {
  BlockParts parts;
  std::memcpy(&parts.scale, block + places_.scale, sizeof parts.scale);
  if (form_.has_minimum()) std::memcpy(&parts.minimum, block + places_.minimum, sizeof parts.minimum);
  if (form_.kind == ScaleKind::grouped) take_grouped_scales(block, parts);
  if (form_.kind == ScaleKind::grouped_signed) {
    std::memcpy(parts.own_scales.data(), block + places_.own_scales, static_cast<size_t>(form_.n_sub_blocks));
  }
  take_codes(block, parts);
  return parts;
}

std::span<const float> BlockTaker::values_of_copy() {
  const std::span values = std::span(values_).first(static_cast<size_t>(form_.group_columns()));
  dequantize(form_.type, copy_.data(), values);
  return values;
}

void BlockTaker::set_scales(uint16_t scale, uint16_t minimum) {
  std::memcpy(&copy_[places_.scale], &scale, sizeof scale);
  if (form_.has_minimum()) std::memcpy(&copy_[places_.minimum], &minimum, sizeof minimum);
}

void BlockTaker::set_own_scales_to_one() {
  if (form_.kind == ScaleKind::grouped_signed) std::memset(&copy_[places_.own_scales], 1, 16);
  if (form_.kind == ScaleKind::grouped) {  // scales 0–3, minimums 0–3, low bits of both from 4 on
    constexpr std::array<uint8_t, 12> kOnes = {1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1};
    std::memcpy(&copy_[places_.own_scales], kOnes.data(), kOnes.size());
  }
}

void BlockTaker::take_codes(const std::byte* block, BlockParts& parts) {
  std::memcpy(copy_.data(), block, n_bytes_);
  set_scales(kHalfOne, 0);
  set_own_scales_to_one();
  const std::span<const float> codes = values_of_copy();
  for (size_t i = 0; i < codes.size(); ++i)
    parts.codes[i] = static_cast<uint8_t>(static_cast<int>(codes[i]) + form_.bias);
}

// Value 0 of each group, with its code 1 and then 0.
void BlockTaker::take_grouped_scales(const std::byte* block, BlockParts& parts) {
  const size_t codes_begin = n_bytes_ - kMaxGroupColumns / 2;  // four bits a value come last; a fifth is before them
  std::memset(copy_.data(), 0, n_bytes_);
  std::memcpy(copy_.data(), block, places_.own_scales + 12);
  const auto columns = static_cast<size_t>(form_.columns);
  set_scales(0, kHalfOne);
  const std::span<const float> values = values_of_copy();
  for (size_t g = 0; g * columns < values.size(); ++g)
    parts.own_minimums[g] = static_cast<uint8_t>(-values[g * columns]);
  set_scales(kHalfOne, 0);
  std::memset(&copy_[codes_begin], 0x11, n_bytes_ - codes_begin);
  values_of_copy();
  for (size_t g = 0; g * columns < values.size(); ++g) parts.own_scales[g] = static_cast<uint8_t>(values[g * columns]);
}

}  // namespace ferry
