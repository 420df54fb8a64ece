#pragma once
// The memory of this process, for Ops that compute on its CPU: zeroed, and aligned to a cache line. Everything is done
// when a call returns, so every mark is reached.

#include <map>

#include "core/seam/device.h"

namespace ferry {

class HostDevice final : public Device {
 public:
  using Device::download;
  std::byte* allocate(size_t n_bytes) override;
  void release(std::byte* memory) noexcept override;
  void upload(void* to, const void* from, size_t n_bytes) override;
  void download(std::span<const DeviceCopy> copies) override;
  void wait() override {}
  void watch(const void*, Look) override {}

  Mark mark() override { return {}; }
  bool reached(Mark) override { return true; }
  bool pin(std::span<std::byte>) override { return true; }
  void unpin(std::span<std::byte>) noexcept override {}
  Mark start_uploads(std::span<const DeviceCopy> copies) override;
  Mark start_downloads(std::span<const DeviceCopy> copies) override { return start_uploads(copies); }
  HostView view(const std::byte* from, size_t, std::byte*) override { return {.at = from, .ready = {}}; }

 private:
  std::map<std::byte*, size_t> mapped_;  // whole pages from the system, which gives only what is touched
};

}  // namespace ferry
