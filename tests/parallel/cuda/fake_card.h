#pragma once
// A card that is memory of this process, under addresses that are not: who takes them for the host's crashes.

#include <cstring>
#include <functional>
#include <map>
#include <vector>

#include "core/base/check.h"
#include "core/seam/device.h"

namespace ferry {

class FakeCard final : public Device {
 public:
  using Device::download;

  std::byte* allocate(size_t n_bytes) override {
    std::byte* address = next_;
    next_ += (n_bytes + 255) / 256 * 256 + 256;
    memory_[address].resize(n_bytes);
    return address;
  }
  void release(std::byte* memory) noexcept override { memory_.erase(memory); }
  void upload(void* to, const void* from, size_t n_bytes) override { std::memcpy(host_of(to, n_bytes), from, n_bytes); }
  void download(std::span<const DeviceCopy> copies) override {
    wait();
    start_downloads(copies);
  }
  void wait() override { on_wait(look_); }
  void watch(const void*, Look look) override { look_ = std::move(look); }
  Mark mark() override { return {}; }
  bool reached(Mark) override { return true; }
  bool pin(std::span<std::byte>) override {
    ++n_pinned;
    return true;
  }
  void unpin(std::span<std::byte>) noexcept override { --n_pinned; }
  Mark start_uploads(std::span<const DeviceCopy> copies) override {
    for (const DeviceCopy& copy : copies) upload(copy.to, copy.from, copy.n_bytes);
    return {};
  }
  Mark start_downloads(std::span<const DeviceCopy> copies) override {
    for (const DeviceCopy& copy : copies) std::memcpy(copy.to, host_of(copy.from, copy.n_bytes), copy.n_bytes);
    return {};
  }
  HostView view(const std::byte* from, size_t n_bytes, std::byte*) override { return {.at = host_of(from, n_bytes)}; }

  // What a wait is like; here it is over at once.
  std::function<void(const Look& look)> on_wait = [](const Look& look) {
    if (look) look(Duration::zero());
  };
  int n_pinned = 0;
  size_t n_allocations() const { return memory_.size(); }

 private:
  std::byte* host_of(const void* address, size_t n_bytes) {
    auto block = memory_.upper_bound(static_cast<std::byte*>(const_cast<void*>(address)));
    check(block != memory_.begin(), "an address of this card");
    --block;
    const auto offset = static_cast<size_t>(static_cast<const std::byte*>(address) - block->first);
    check(offset + n_bytes <= block->second.size(), "a copy stays within what was allocated");
    return block->second.data() + offset;
  }

  std::map<std::byte*, std::vector<std::byte>> memory_;
  std::byte* next_ = reinterpret_cast<std::byte*>(uintptr_t{0x7f} << 52);  // no address of a process
  Look look_;
};

}  // namespace ferry
