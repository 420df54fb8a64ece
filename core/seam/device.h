#pragma once
// Memory that Ops compute in, and copies to and from it, in the order of what was launched; and copies beside that
// order, for who moves bytes while the device computes.
//
// Implementations: this process's own memory (kernels/cpu), a CUDA card's (kernels/cuda).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/seam/clock.h"

namespace ferry {

// A point in one of the orders of what a device was told: launches, copies to it, copies from it.
struct Mark {
  int order = 0;
  uint64_t number = 0;  // 0: before everything
  bool operator==(const Mark&) const = default;
};

struct DeviceCopy {
  void* to = nullptr;
  const void* from = nullptr;
  size_t n_bytes = 0;
};

// Where the host can read bytes of a device once `ready` is reached.
struct HostView {
  const std::byte* at = nullptr;
  Mark ready;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual std::byte* allocate(size_t n_bytes) = 0;  // at start, not in a step; Error when it does not fit
  virtual void release(std::byte* memory) noexcept = 0;

  virtual void upload(void* to, const void* from, size_t n_bytes) = 0;  // `from` is free again at return
  virtual void download(std::span<const DeviceCopy> copies) = 0;        // all before them and they done at return
  void download(void* to, const void* from, size_t n_bytes) {
    const DeviceCopy copy = {.to = to, .from = from, .n_bytes = n_bytes};
    download({&copy, 1});
  }
  virtual void wait() = 0;  // all before it done at return

  // What launches and copies are ordered by (a cudaStream_t); null where each is done at return.
  virtual void* stream() const { return nullptr; }

  // `look` is called again and again while a call waits for the device, and once when that is done, with how long it
  // has waited, until its owner sets another or an empty one; what it throws ends the wait. For whoever can tell that
  // the device will never be done, as when it waits for a rank that has died, or gave up; and for whoever has something
  // to do meanwhile.
  using Look = std::function<void(Duration waited)>;
  virtual void watch(const void* owner, Look look) = 0;
  virtual Mark mark() = 0;              // behind all launches so far
  virtual bool reached(Mark mark) = 0;  // at once; Error when something before it failed

  // Host memory as copies beside the launches want it; false where it cannot be had, and those copies then hold the
  // caller up. The memory stays where it is until unpin().
  virtual bool pin(std::span<std::byte> memory) = 0;
  virtual void unpin(std::span<std::byte> memory) noexcept = 0;
  // How much could not be had, and why: for people. Empty where all of it could.
  virtual std::string not_pinned() const { return {}; }

  // Copies that do not wait for launches, nor launches for them: what they read is there, and nobody else touches what
  // they write, until the mark is reached. Those of one direction are done in order.
  virtual Mark start_uploads(std::span<const DeviceCopy> copies) = 0;
  virtual Mark start_downloads(std::span<const DeviceCopy> copies) = 0;
  // The same for bytes that the host only reads: in place where it can, copied to `staging` where not.
  virtual HostView view(const std::byte* from, size_t n_bytes, std::byte* staging) = 0;
};

// Values in a device's memory, which outlives them.
template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  DeviceArray(Device& device, size_t n)
      : device_(&device), data_(n > 0 ? reinterpret_cast<T*>(device.allocate(n * sizeof(T))) : nullptr), n_(n) {}
  DeviceArray(Device& device, const std::vector<T>& values) : DeviceArray(device, values.size()) { assign(values); }
  DeviceArray(DeviceArray&& other) noexcept { swap(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    swap(other);
    return *this;
  }
  ~DeviceArray() {
    if (data_ != nullptr) device_->release(reinterpret_cast<std::byte*>(data_));
  }

  T* data() const { return data_; }  // null where it is empty
  size_t size() const { return n_; }

  // The first values; there is room for them.
  void assign(const std::vector<T>& values) {
    if (!values.empty()) device_->upload(data_, values.data(), values.size() * sizeof(T));
  }

 private:
  void swap(DeviceArray& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(data_, other.data_);
    std::swap(n_, other.n_);
  }

  Device* device_ = nullptr;
  T* data_ = nullptr;
  size_t n_ = 0;
};

}  // namespace ferry
