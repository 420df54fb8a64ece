#include "core/kv/page_allocator.h"

#include <utility>

#include "core/base/check.h"

namespace ferry {

PageLease::PageLease(PageLease&& other) noexcept
    : owner_(std::exchange(other.owner_, nullptr)),
      pages_(std::exchange(other.pages_, {})),
      n_found_(std::exchange(other.n_found_, 0)) {}

PageLease& PageLease::operator=(PageLease&& other) noexcept {
  if (this != &other) {
    end();
    owner_ = std::exchange(other.owner_, nullptr);
    pages_ = std::exchange(other.pages_, {});
    n_found_ = std::exchange(other.n_found_, 0);
  }
  return *this;
}

PageLease::~PageLease() { end(); }

// The last page first: it is of use only behind those before it, so it is the first to be overwritten.
void PageLease::end() {
  const std::vector<int> pages = std::exchange(pages_, {});
  for (auto page = pages.rbegin(); page != pages.rend(); ++page) owner_->give_back(*page);
}

void PageLease::quarantine() {
  for (int i = 0; i < n_found_; ++i) owner_->give_back(pages_[i]);
  pages_.erase(pages_.begin(), pages_.begin() + std::exchange(n_found_, 0));
  for (const int page : pages_) owner_->pages_[page].quarantined = true;
}

PageAllocator::PageAllocator(int n_pages) : pages_(n_pages) {
  for (int page = 0; page < n_pages; ++page) blank_.insert(blank_.end(), page);
}

PageAllocator::~PageAllocator() { check(n_free() == n_pages(), "every lease ends before its allocator"); }

std::optional<PageLease> PageAllocator::lease(int n_pages, std::span<const ContentId> contents, int spare) {
  std::vector<int> pages = find(contents.first(std::min<size_t>(contents.size(), n_pages)));
  const int n_found = static_cast<int>(pages.size());
  int n_kept = 0;
  for (const int page : pages) n_kept += pages_[page].n_leases == 0;
  if (n_pages - n_found + spare > n_free() - n_kept) return std::nullopt;
  for (const int page : pages) share(page);
  take_fresh(n_pages - n_found, pages);
  return PageLease(*this, std::move(pages), n_found);
}

bool PageAllocator::extend(PageLease& lease, int n_pages) {
  check(lease.owner_ == this, "a lease grows where it was taken");
  if (n_pages > n_free()) return false;
  take_fresh(n_pages, lease.pages_);
  return true;
}

std::vector<int> PageAllocator::find(std::span<const ContentId> contents) const {
  std::vector<int> pages;
  for (const ContentId content : contents) {
    const auto held = by_content_.find(content);
    // Leased for something else since: it holds that no more.
    if (held == by_content_.end() || held->second.generation != generation(held->second.page)) break;
    pages.push_back(held->second.page);
  }
  return pages;
}

void PageAllocator::share(int page) {
  Page& p = pages_[page];
  if (p.n_leases++ == 0) kept_.erase(std::exchange(p.kept, {}));
}

void PageAllocator::take_fresh(int n, std::vector<int>& pages) {
  for (int i = 0; i < n; ++i) {
    const int page = blank_.empty() ? kept_.front() : *blank_.begin();
    Page& p = pages_[page];
    if (blank_.empty()) {
      kept_.erase(std::exchange(p.kept, {}));
    } else {
      blank_.erase(blank_.begin());
    }
    ++p.generation;
    p.n_leases = 1;
    pages.push_back(page);
  }
}

void PageAllocator::publish(const PageLease& lease, int index, ContentId content) {
  const int page = lease.pages()[index];
  Page& p = pages_[page];
  check(p.n_leases > 0 && !p.quarantined, "who publishes a page holds it");
  const auto [held, is_new] = by_content_.try_emplace(content);
  if (!is_new && held->second.generation == generation(held->second.page)) return;  // a page like it is there
  forget_content(p);
  by_content_[content] = {.page = page, .generation = p.generation};
  p.content = content;
}

void PageAllocator::forget(const PageLease& lease) {
  for (const int page : lease.pages()) forget_content(pages_[page]);
}

void PageAllocator::forget_content(Page& page) {
  const auto held = by_content_.find(page.content);
  if (held != by_content_.end() && &pages_[held->second.page] == &page) by_content_.erase(held);
  page.content = 0;
}

void PageAllocator::give_back(int page) {
  Page& p = pages_[page];
  check(p.n_leases > 0, "a page is given back once");
  if (--p.n_leases > 0) return;
  p.quarantined = false;
  const auto held = by_content_.find(p.content);
  const bool can_be_found = p.content != 0 && held != by_content_.end() && held->second.page == page &&
                            held->second.generation == p.generation;
  if (can_be_found) {
    p.kept = kept_.insert(kept_.end(), page);
  } else {
    blank_.insert(page);
  }
}

PageAllocator::Counts PageAllocator::counts() const {
  Counts counts = {.free = n_free()};
  for (const Page& page : pages_) {
    counts.quarantined += page.quarantined;
    counts.shared += page.n_leases > 1;
    counts.leased += page.n_leases == 1 && !page.quarantined;
  }
  return counts;
}

}  // namespace ferry
