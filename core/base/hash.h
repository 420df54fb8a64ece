#pragma once
// 64-bit hashes of bytes (XXH3), for identities and checksums. Not for security.

#include <cstdint>
#include <string_view>

namespace ferry {

uint64_t hash_of(std::string_view bytes, uint64_t seed = 0);

}  // namespace ferry
