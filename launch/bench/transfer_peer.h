#pragma once
// The other process of `ferry bench transfer`: memory that is written to.

#include <string>
#include <string_view>

#include "core/seam/kv_link.h"

namespace ferry {

// Addresses as one word for a command line, or a line of output.
std::string hex_of(std::string_view bytes);
std::string bytes_of_hex(const std::string& hex);  // Error when it is not hexadecimal

// Says its own address on stdout, as hex; then, until the other side ends, answers every message with the hash of its
// memory, and clears that.
void serve_transfer_bench(KvLink& link, const std::string& address_of_other);

std::string hash_text(std::span<const std::byte> memory);

}  // namespace ferry
