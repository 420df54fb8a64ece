#include "kernels/cuda/cuda_device.h"

#include <utility>

#include "core/base/error.h"

namespace ferry::cuda {

namespace {

uint64_t start(std::span<const DeviceCopy> copies, MarkedStream& stream) {
  for (const DeviceCopy& copy : copies) start_copy(copy.to, copy.from, copy.n_bytes, stream);
  return stream.mark();
}

}  // namespace

void CudaDevice::watch(const void* owner, Look look) {
  looks_.erase(owner);
  if (look) looks_[owner] = std::move(look);
}

bool CudaDevice::reached(Mark mark) {
  if (mark.number == 0) return true;
  MarkedStream& stream = mark.order == kLaunches ? launches_ : mark.order == kUploads ? uploads_ : downloads_;
  return stream.reached(mark.number);
}

bool CudaDevice::pin(std::span<std::byte> memory) {
  const std::string why_not = cuda::pin(memory);
  if (why_not.empty()) return true;
  n_bytes_not_pinned_ += memory.size();
  why_not_pinned_ = why_not;
  return false;
}

std::string CudaDevice::not_pinned() const {
  if (n_bytes_not_pinned_ == 0) return {};
  return str((n_bytes_not_pinned_ + 1023) >> 10, " KiB of host memory: ", why_not_pinned_);
}

Mark CudaDevice::start_uploads(std::span<const DeviceCopy> copies) {
  return {.order = kUploads, .number = start(copies, uploads_)};
}

Mark CudaDevice::start_downloads(std::span<const DeviceCopy> copies) {
  return {.order = kDownloads, .number = start(copies, downloads_)};
}

HostView CudaDevice::view(const std::byte* from, size_t n_bytes, std::byte* staging) {
  const DeviceCopy copy = {.to = staging, .from = from, .n_bytes = n_bytes};
  return {.at = staging, .ready = start_downloads({&copy, 1})};
}

}  // namespace ferry::cuda
