#pragma once
// The memory of this process, for Ops that compute on its CPU: zeroed, and aligned to a cache line.

#include <map>

#include "core/seam/device.h"

namespace ferry {

class HostDevice final : public Device {
 public:
  std::byte* allocate(size_t n_bytes) override;
  void release(std::byte* memory) noexcept override;
  void upload(void* to, const void* from, size_t n_bytes) override;
  void download(void* to, const void* from, size_t n_bytes) override;
  void* stream() const override { return nullptr; }

 private:
  std::map<std::byte*, size_t> mapped_;  // whole pages from the system, which gives only what is touched
};

}  // namespace ferry
