#pragma once
// How long this thread has waited for a device since this was made, as the device itself tells those who watch it.

#include <algorithm>

#include "core/seam/clock.h"
#include "core/seam/device.h"

namespace ferry {

class DeviceWaits {
 public:
  // Both outlive it.
  DeviceWaits(Device& device, const Clock& clock) : device_(device), clock_(clock), last_look_(clock.now()) {
    device.watch(this, [this](Duration waited) { look(waited); });
  }
  ~DeviceWaits() { device_.watch(this, {}); }
  DeviceWaits(const DeviceWaits&) = delete;
  DeviceWaits& operator=(const DeviceWaits&) = delete;

  Duration total() const { return total_; }

 private:
  // The wait may be another than the one at the last look: then what was between them is not counted.
  void look(Duration waited) {
    const Instant now = clock_.now();
    total_ += std::min(waited, now - last_look_);
    last_look_ = now;
  }

  Device& device_;
  const Clock& clock_;
  Instant last_look_;
  Duration total_{};
};

}  // namespace ferry
