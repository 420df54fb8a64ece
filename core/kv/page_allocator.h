#pragma once
// The pages of a group's KV memory. A lease owns pages and gives them back when it ends; "full" is an answer, not an
// error. Page ids are the same on every rank of the group; only the leader allocates.
//
// A page whose content was published can be found by it and shared, by who only reads it, also when its lease is over:
// until it is needed for something else.

#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/kv/content.h"

namespace ferry {

class PageAllocator;

class PageLease {
 public:
  PageLease() = default;  // no pages
  PageLease(PageLease&& other) noexcept;
  PageLease& operator=(PageLease&& other) noexcept;
  ~PageLease();

  std::span<const int> pages() const { return pages_; }
  int n_found() const { return n_found_; }  // pages at the front that were found by their content; only to be read
  bool empty() const { return pages_.empty(); }

  // Nobody uses these pages any more, but somebody may still write them: gives back what was found, and holds the rest
  // until the lease ends, counted as quarantined.
  void quarantine();

 private:
  friend class PageAllocator;
  PageLease(PageAllocator& owner, std::vector<int> pages, int n_found)
      : owner_(&owner), pages_(std::move(pages)), n_found_(n_found) {}
  void end();

  PageAllocator* owner_ = nullptr;  // outlives its leases
  std::vector<int> pages_;
  int n_found_ = 0;
};

class PageAllocator {
 public:
  explicit PageAllocator(int n_pages);
  PageAllocator(const PageAllocator&) = delete;
  PageAllocator& operator=(const PageAllocator&) = delete;
  ~PageAllocator();  // every lease has ended

  // Pages that hold the first of `contents`, as many as there are in a row, then fresh ones. nullopt: not that many are
  // free, or fewer than `spare` would be left.
  std::optional<PageLease> lease(int n_pages, std::span<const ContentId> contents = {}, int spare = 0);
  bool extend(PageLease& lease, int n_pages);  // by fresh ones; false: not that many are free, and it stays as it is

  // Page `index` of a lease holds that, whole, and will not change any more.
  void publish(const PageLease& lease, int index, ContentId content);
  void forget(const PageLease& lease);  // what its pages hold is not to be found any more

  int n_pages() const { return static_cast<int>(pages_.size()); }
  int n_free() const { return static_cast<int>(blank_.size() + kept_.size()); }

  struct Counts {  // of pages; see wire::PageCounts
    int free = 0, leased = 0, shared = 0, quarantined = 0;
  };
  Counts counts() const;

  // Counts the fresh leases of a page: what was known of it at an older one no longer holds.
  uint32_t generation(int page) const { return pages_[page].generation; }

 private:
  friend class PageLease;
  struct Page {
    int n_leases = 0;
    uint32_t generation = 0;
    bool quarantined = false;
    ContentId content = 0;  // last published; 0: none
    std::list<int>::iterator kept = {};
  };
  struct Held {
    int page = 0;
    uint32_t generation = 0;  // at which it held the content
  };

  std::vector<int> find(std::span<const ContentId> contents) const;
  void take_fresh(int n, std::vector<int>& pages);
  void share(int page);
  void give_back(int page);
  void forget_content(Page& page);

  std::vector<Page> pages_;
  std::set<int> blank_;  // free, nothing to find there: leased from the lowest on, so that neighbours stay together
  std::list<int> kept_;  // free, and can be found; the longest unused first
  std::unordered_map<ContentId, Held> by_content_;
};

}  // namespace ferry
