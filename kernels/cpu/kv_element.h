#pragma once
// One value of a KV page, rounded and read as every implementation must: to the nearest, ties to even.

#include <cstddef>
#include <cstring>

#include "core/base/half.h"
#include "core/seam/ops.h"

namespace ferry {

inline float load_kv(KvDtype dtype, const std::byte* values, int i) {
  if (dtype == KvDtype::f32) {
    float value;
    std::memcpy(&value, values + static_cast<size_t>(i) * sizeof value, sizeof value);
    return value;
  }
  uint16_t half;
  std::memcpy(&half, values + static_cast<size_t>(i) * sizeof half, sizeof half);
  return dtype == KvDtype::f16 ? f32_of_f16(half) : f32_of_bf16(half);
}

inline void store_kv(KvDtype dtype, std::byte* values, int i, float value) {
  if (dtype == KvDtype::f32) {
    std::memcpy(values + static_cast<size_t>(i) * sizeof value, &value, sizeof value);
    return;
  }
  const uint16_t half = dtype == KvDtype::f16 ? f16_of_f32(value) : bf16_of_f32(value);
  std::memcpy(values + static_cast<size_t>(i) * sizeof half, &half, sizeof half);
}

}  // namespace ferry
