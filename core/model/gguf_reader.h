#pragma once
// The bytes of a GGUF file to its header. This is where a file is not trusted.

#include <cstddef>
#include <span>
#include <string>

#include "core/model/gguf.h"

namespace ferry {

// Views into `bytes`. Error when anything is out of bounds, contradictory or beyond what Ferry reads; `file` names it.
GgufHeader read_gguf_header(const std::string& file, std::span<const std::byte> bytes);

}  // namespace ferry
