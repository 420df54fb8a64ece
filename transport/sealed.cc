#include "transport/sealed.h"

#include <cstring>

#include "core/base/hash.h"

namespace ferry {

namespace {
constexpr uint64_t kVersion = 1;

// The kind and the version enter the checksum instead of standing in the bytes: an other one simply does not open.
uint64_t seal_of(std::string_view kind, std::string_view body) { return hash_of(body, hash_of(kind, kVersion)); }
}  // namespace

std::string sealed(std::string_view kind, std::string_view body) {
  const uint64_t seal = seal_of(kind, body);
  std::string bytes(reinterpret_cast<const char*>(&seal), sizeof seal);
  return bytes.append(body);
}

std::optional<std::string_view> unsealed(std::string_view kind, std::string_view bytes) {
  uint64_t seal = 0;
  if (bytes.size() < sizeof seal) return std::nullopt;
  std::memcpy(&seal, bytes.data(), sizeof seal);
  const std::string_view body = bytes.substr(sizeof seal);
  if (seal != seal_of(kind, body)) return std::nullopt;
  return body;
}

}  // namespace ferry
