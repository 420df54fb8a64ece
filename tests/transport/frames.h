#pragma once
// Whole blocks of bytes through a pipe or socket: a 32-bit count, then the bytes.

#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ferry {

inline bool read_all(int fd, char* to, size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = ::read(fd, to, bytes);
    if (n <= 0) return false;
    to += n;
    bytes -= static_cast<size_t>(n);
  }
  return true;
}

inline std::optional<std::string> read_frame(int fd) {  // nullopt: the other side has gone, or says what is no frame
  constexpr uint32_t kMost = 64 << 20;
  uint32_t count = 0;
  if (!read_all(fd, reinterpret_cast<char*>(&count), sizeof count) || count > kMost) return std::nullopt;
  std::string bytes(count, '\0');
  if (!read_all(fd, bytes.data(), count)) return std::nullopt;
  return bytes;
}

inline bool write_frame(int fd, std::string_view bytes) {
  const auto count = static_cast<uint32_t>(bytes.size());
  std::string frame(reinterpret_cast<const char*>(&count), sizeof count);
  frame += bytes;
  for (std::string_view left = frame; !left.empty();) {
    const ssize_t n = ::write(fd, left.data(), left.size());
    if (n <= 0) return false;
    left.remove_prefix(static_cast<size_t>(n));
  }
  return true;
}

}  // namespace ferry
