#include "launch/bench/transfer_peer.h"

#include <sched.h>

#include <algorithm>
#include <charconv>
#include <iostream>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace ferry {

std::string hex_of(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (const char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    hex += {kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return hex;
}

std::string bytes_of_hex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    uint8_t byte = 0;
    const auto read = std::from_chars(&hex[i], &hex[i] + 2, byte, 16);
    if (read.ptr != &hex[i] + 2) break;
    bytes += static_cast<char>(byte);
  }
  if (2 * bytes.size() != hex.size()) throw Error("an address is an even number of hexadecimal digits");
  return bytes;
}

std::string hash_text(std::span<const std::byte> memory) {
  return str(hash_of({reinterpret_cast<const char*>(memory.data()), memory.size()}));
}

void serve_transfer_bench(KvLink& link, const std::string& address_of_other) {
  const ChannelId channel = link.open();
  const PeerId other = link.connect(channel, address_of_other);
  std::cout << hex_of(link.address(channel)) << std::endl;
  for (;;) {
    const auto event = link.poll();
    if (!event) sched_yield();
    if (!event) continue;
    if (std::holds_alternative<Broken>(*event)) return;
    if (!std::holds_alternative<Received>(*event)) continue;
    const auto memory = link.memory();
    link.send(other, hash_text(memory));
    std::fill(memory.begin(), memory.end(), std::byte{0});
  }
}

}  // namespace ferry
