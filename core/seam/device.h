#pragma once
// Memory that Ops compute in, and copies to and from it, in the order of what was launched.
//
// Implementations: this process's own memory (kernels/cpu), a CUDA card's (kernels/cuda).

#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace ferry {

class Device {
 public:
  virtual ~Device() = default;
  virtual std::byte* allocate(size_t n_bytes) = 0;  // at start, not in a step; Error when it does not fit
  virtual void release(std::byte* memory) noexcept = 0;

  virtual void upload(void* to, const void* from, size_t n_bytes) = 0;    // `from` is free again at return
  virtual void download(void* to, const void* from, size_t n_bytes) = 0;  // all before it and itself done at return

  // What the device's library calls the order of what is launched (a cudaStream_t), for those who launch beside Ops.
  // Null: everything is done when a call returns.
  virtual void* stream() const = 0;
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
