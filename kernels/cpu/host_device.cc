#include "kernels/cpu/host_device.h"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace ferry {

std::byte* HostDevice::allocate(size_t n_bytes) {
  constexpr size_t kCacheLine = 64, kLarge = size_t{1} << 20;
  if (n_bytes < kLarge) {
    void* memory = std::aligned_alloc(kCacheLine, (n_bytes + kCacheLine - 1) / kCacheLine * kCacheLine);
    if (memory == nullptr) throw std::bad_alloc();
    std::memset(memory, 0, n_bytes);
    return static_cast<std::byte*>(memory);
  }
  void* memory = mmap(nullptr, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mapped_[static_cast<std::byte*>(memory)] = n_bytes;
  return static_cast<std::byte*>(memory);
}

void HostDevice::release(std::byte* memory) noexcept {
  const auto mapped = mapped_.find(memory);
  if (mapped == mapped_.end()) return std::free(memory);
  munmap(memory, mapped->second);
  mapped_.erase(mapped);
}

void HostDevice::upload(void* to, const void* from, size_t n_bytes) { std::memcpy(to, from, n_bytes); }
void HostDevice::download(std::span<const DeviceCopy> copies) { start_uploads(copies); }

Mark HostDevice::start_uploads(std::span<const DeviceCopy> copies) {
  for (const DeviceCopy& copy : copies) std::memcpy(copy.to, copy.from, copy.n_bytes);
  return {};
}

}  // namespace ferry
