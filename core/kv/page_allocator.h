#pragma once
// The pages of a group's KV memory. A lease owns pages and gives them back when it ends; "full" is an answer, not an
// error. Page ids are the same on every rank of the group; only the leader allocates.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ferry {

class PageAllocator;

class PageLease {
 public:
  PageLease() = default;  // no pages
  PageLease(PageLease&& other) noexcept;
  PageLease& operator=(PageLease&& other) noexcept;
  ~PageLease();

  std::span<const int> pages() const { return pages_; }
  bool empty() const { return pages_.empty(); }

 private:
  friend class PageAllocator;
  PageLease(PageAllocator& owner, std::vector<int> pages) : owner_(&owner), pages_(std::move(pages)) {}

  PageAllocator* owner_ = nullptr;  // outlives its leases
  std::vector<int> pages_;
};

class PageAllocator {
 public:
  explicit PageAllocator(int n_pages);
  PageAllocator(const PageAllocator&) = delete;
  PageAllocator& operator=(const PageAllocator&) = delete;
  ~PageAllocator();  // every lease has ended

  std::optional<PageLease> lease(int n_pages);  // nullopt: not that many are free

  int n_pages() const { return static_cast<int>(generation_.size()); }
  int n_free() const { return static_cast<int>(free_.size()); }

  // Counts the leases of a page: what a peer was told of an older one no longer holds.
  uint32_t generation(int page) const { return generation_[page]; }

 private:
  friend class PageLease;
  void give_back(const std::vector<int>& pages);

  std::vector<int> free_;  // a stack: pages that were used last are warm
  std::vector<uint32_t> generation_;
};

}  // namespace ferry
