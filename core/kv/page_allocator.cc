#include "core/kv/page_allocator.h"

#include <numeric>
#include <utility>

#include "core/base/check.h"

namespace ferry {

PageLease::PageLease(PageLease&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)), pages_(std::exchange(other.pages_, {})) {}

PageLease& PageLease::operator=(PageLease&& other) noexcept {
  if (this != &other) {
    if (owner_) owner_->give_back(pages_);
    owner_ = std::exchange(other.owner_, nullptr);
    pages_ = std::exchange(other.pages_, {});
  }
  return *this;
}

PageLease::~PageLease() {
  if (owner_) owner_->give_back(pages_);
}

PageAllocator::PageAllocator(int n_pages) : free_(n_pages), generation_(n_pages, 0) {
  std::iota(free_.rbegin(), free_.rend(), 0);  // page 0 first
}

PageAllocator::~PageAllocator() { check(n_free() == n_pages(), "every lease ends before its allocator"); }

std::optional<PageLease> PageAllocator::lease(int n_pages) {
  if (n_pages > n_free()) return std::nullopt;
  std::vector<int> pages(free_.end() - n_pages, free_.end());
  free_.resize(free_.size() - n_pages);
  for (int page : pages) ++generation_[page];
  return PageLease(*this, std::move(pages));
}

void PageAllocator::give_back(const std::vector<int>& pages) {
  free_.insert(free_.end(), pages.begin(), pages.end());
  check(n_free() <= this->n_pages(), "a page is given back once");
}

}  // namespace ferry
