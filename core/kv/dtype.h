#pragma once
// Element types of a KV cache.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ferry {

enum class KvDtype : uint8_t { f32, f16, bf16, kLast = bf16 };

constexpr size_t bytes_of(KvDtype dtype) { return dtype == KvDtype::f32 ? 4 : 2; }
constexpr std::string_view name_of(KvDtype dtype) {
  return dtype == KvDtype::f32 ? "f32" : dtype == KvDtype::f16 ? "f16" : "bf16";
}

}  // namespace ferry
