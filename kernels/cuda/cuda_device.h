#pragma once
// A card's memory: launches in one stream, copies beside them in one more each way, so that none waits for another.

#include <functional>
#include <map>

#include "core/seam/device.h"
#include "kernels/cuda/marked_stream.h"

namespace ferry::cuda {

class CudaDevice final : public Device {  // the card that this thread uses
 public:
  using Device::download;

  Stream launches() const {
    Stream stream = launches_;
    stream.look = &look_around_;
    return stream;
  }

  std::byte* allocate(size_t n_bytes) override { return cuda::allocate(n_bytes); }
  void release(std::byte* memory) noexcept override { cuda::release(memory); }
  void upload(void* to, const void* from, size_t n_bytes) override { cuda::upload(to, from, n_bytes, launches()); }
  void download(std::span<const DeviceCopy> copies) override { cuda::download(copies, launches()); }
  void wait() override { cuda::wait(launches()); }
  void* stream() const override { return launches().handle; }
  void watch(const void* owner, Look look) override;

  Mark mark() override { return {.order = kLaunches, .number = launches_.mark()}; }
  bool reached(Mark mark) override;
  bool pin(std::span<std::byte> memory) override;
  void unpin(std::span<std::byte> memory) noexcept override { cuda::unpin(memory); }
  std::string not_pinned() const override;
  Mark start_uploads(std::span<const DeviceCopy> copies) override;
  Mark start_downloads(std::span<const DeviceCopy> copies) override;
  HostView view(const std::byte* from, size_t n_bytes, std::byte* staging) override;

 private:
  enum Order { kLaunches, kUploads, kDownloads };

  std::map<const void*, Look> looks_;  // by owner
  const Look look_around_ = [this](Duration waited) {
    for (const auto& [owner, look] : looks_) look(waited);
  };
  MarkedStream launches_, uploads_, downloads_;
  size_t n_bytes_not_pinned_ = 0;
  std::string why_not_pinned_;  // what was asked for last of them
};

}  // namespace ferry::cuda
