#pragma once
// Checksums of KV in the memory of a device, made beside what it computes: pages come to the host a few at a time, in
// the order in which they were asked for. Where the host reads that memory itself, a sum is there at once.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/handoff/checksum.h"
#include "core/seam/device.h"

namespace ferry {

class PageSums {
 public:
  // `memory`: the device's, with pages of this layout; both outlive the sums.
  PageSums(Device& device, const KvLayout& layout, std::span<const std::byte> memory);
  ~PageSums();
  PageSums(const PageSums&) = delete;
  PageSums& operator=(const PageSums&) = delete;

  // What is summed is written, and stays until `done` has the sum: in this call or in poll(). It must not call back.
  using Done = std::function<void(uint64_t sum)>;
  void start(wire::Verify verify, std::span<const KvPart> parts, std::span<const int> pages, Done done);
  void poll();
  bool idle() const { return sums_.empty(); }

 private:
  struct Page {
    uint64_t offset = 0;
    KvPart part;
  };
  struct Sum {
    std::vector<Page> pages;
    size_t n_viewed = 0;  // their copies are on the way
    size_t n_summed = 0;
    uint64_t sum = 0;
    Done done;
  };

  std::span<std::byte> staging() const { return {staging_.get(), n_slots_ * layout_.layer_bytes()}; }
  void view_pages();
  bool sum_next_page();

  Device& device_;
  const KvLayout layout_;
  const std::span<const std::byte> memory_;
  const size_t n_slots_;
  const std::unique_ptr<std::byte[]> staging_;  // [n_slots_, layer_bytes]; touched only where copies are needed
  const bool pinned_;
  uint64_t n_views_ = 0;
  std::deque<HostView> views_;  // of the pages that are viewed and not summed, in order
  std::deque<Sum> sums_;
};

}  // namespace ferry
