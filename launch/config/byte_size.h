#pragma once
// Sizes in bytes as people write them: "256MiB", "1.5GB", "4096".

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ferry {

// KB, MB, … are powers of 1000, KiB, MiB, … of 1024. nullopt: not a size, or one that does not fit.
std::optional<size_t> parse_byte_size(std::string_view text);

// Exact when it can be: "256MiB"; else with one digit: "1.4GiB".
std::string byte_size_text(size_t bytes);

}  // namespace ferry
