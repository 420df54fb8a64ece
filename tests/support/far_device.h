#pragma once
// A device as a card is one, made of this process's memory. Launches and copies are done later, a few whenever it is
// asked whether a mark is reached, in an order between launches and copies that a seed draws. Memory that is far cannot
// be touched by address: who tries ends the test.
//
// Far memory has two sides. Kernels compute ahead of time, in what the memory will be when they have run (`ahead`);
// copies find what it is now (`now`), which launches bring up to date when they are done.

#include <deque>
#include <functional>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "core/seam/device.h"

namespace ferry {

class FarDevice final : public Device {
 public:
  using Device::download;

  // Asked `patience` times, it does about one thing.
  explicit FarDevice(unsigned seed, int patience = 3) : random_(seed), patience_(patience) {}
  ~FarDevice() override;

  std::span<std::byte> allocate_far(size_t n_bytes);  // zeroed; with the device it goes
  std::span<std::byte> now(std::span<std::byte> far) const;
  std::span<std::byte> ahead(std::span<std::byte> far) const;
  bool holds(const void* memory) const { return find(memory) != nullptr; }

  void launch(std::function<void()> work);  // done in order
  void refuse_to_pin(std::string why) { why_not_pinned_ = std::move(why); }
  // What is on the way stays there.
  void stop_copies() { stopped_ = true; }
  void go_on() { stopped_ = false; }
  int n_waits() const { return n_waits_; }  // of whoever wanted all launches to be done
  int n_copies() const { return static_cast<int>(orders_[kUploads].size() + orders_[kDownloads].size()); }

  std::byte* allocate(size_t n_bytes) override;  // not far
  void release(std::byte* memory) noexcept override;
  void upload(void* to, const void* from, size_t n_bytes) override;
  void download(std::span<const DeviceCopy> copies) override;
  void wait() override { finish_launches(); }
  void watch(const void* owner, Look look) override;
  Mark mark() override { return {.order = kLaunches, .number = n_begun_[kLaunches]}; }
  bool reached(Mark mark) override;
  bool pin(std::span<std::byte> memory) override;
  std::string not_pinned() const override { return not_pinned_; }
  void unpin(std::span<std::byte> memory) noexcept override;
  Mark start_uploads(std::span<const DeviceCopy> copies) override;
  Mark start_downloads(std::span<const DeviceCopy> copies) override;
  HostView view(const std::byte* from, size_t n_bytes, std::byte* staging) override;

 private:
  enum Order { kLaunches, kUploads, kDownloads, kOrders };
  struct Far {
    std::span<std::byte> far, now, ahead;
  };

  const Far* find(const void* memory) const;
  std::byte* here(const void* memory, bool ahead) const;
  Mark begin(Order order, std::function<void()> work);
  void copy(const DeviceCopy& copy) const;
  void check_pinned(const void* memory, size_t n_bytes) const;
  void do_something();
  void finish_launches();

  std::mt19937 random_;
  const int patience_;
  bool stopped_ = false;
  int n_waits_ = 0;
  std::vector<Far> far_;
  std::deque<std::function<void()>> orders_[kOrders];  // not done
  uint64_t n_begun_[kOrders] = {}, n_done_[kOrders] = {};
  std::map<const std::byte*, size_t> pinned_;
  std::string why_not_pinned_, not_pinned_;
  std::map<const void*, Look> looks_;
};

}  // namespace ferry
