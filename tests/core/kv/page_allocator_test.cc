#include "core/kv/page_allocator.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace ferry {
namespace {

TEST(PageAllocator, FullIsAnAnswer) {
  PageAllocator allocator(4);
  auto three = allocator.lease(3);
  ASSERT_TRUE(three);
  EXPECT_FALSE(allocator.lease(2));
  EXPECT_TRUE(allocator.lease(1));
}

TEST(PageAllocator, ALeaseGivesItsPagesBackOnceHoweverItMoves) {
  PageAllocator allocator(4);
  {
    PageLease a = *allocator.lease(2);
    PageLease b = std::move(a);
    a = *allocator.lease(2);
    EXPECT_EQ(allocator.n_free(), 0);
    b = std::move(a);
    EXPECT_EQ(allocator.n_free(), 2);
  }
  EXPECT_EQ(allocator.n_free(), 4);
}

TEST(PageAllocator, NeverLeasesAPageTwiceAndCountsItsGenerations) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    PageAllocator allocator(32);
    std::vector<PageLease> leases;
    std::vector<uint32_t> expected(32, 0);
    for (int i = 0; i < 500; ++i) {
      if (random() % 2 && !leases.empty()) {
        std::swap(leases[random() % leases.size()], leases.back());
        leases.pop_back();
      } else if (auto lease = allocator.lease(random() % 9)) {
        for (int page : lease->pages()) ++expected[page];
        leases.push_back(std::move(*lease));
      }
      std::set<int> held;
      size_t n_held = 0;
      for (const PageLease& lease : leases) {
        held.insert(lease.pages().begin(), lease.pages().end());
        n_held += lease.pages().size();
      }
      ASSERT_EQ(held.size(), n_held);
      ASSERT_EQ(static_cast<int>(n_held) + allocator.n_free(), 32);
    }
    for (int page = 0; page < 32; ++page) EXPECT_EQ(allocator.generation(page), expected[page]);
  }
}

}  // namespace
}  // namespace ferry
