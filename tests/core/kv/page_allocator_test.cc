#include "core/kv/page_allocator.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace ferry {
namespace {

TEST(PageAllocator, ALeaseGrowsWhilePagesAreFree) {
  PageAllocator allocator(4);
  auto lease = allocator.lease(1);
  EXPECT_FALSE(allocator.lease(2, {}, 2)) << "two shall be left";
  EXPECT_TRUE(allocator.extend(*lease, 2));
  EXPECT_EQ(lease->pages().size(), 3u);
  EXPECT_FALSE(allocator.extend(*lease, 2));
  EXPECT_EQ(lease->pages().size(), 3u);
  lease.reset();
  EXPECT_EQ(allocator.n_free(), 4);
}

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

TEST(PageAllocator, FreshPagesAreNeighboursAsLongAsThereAreAny) {
  PageAllocator allocator(8);
  const auto first = allocator.lease(3);
  auto second = allocator.lease(2);
  second.reset();
  const auto third = allocator.lease(3);
  EXPECT_EQ(std::vector(third->pages().begin(), third->pages().end()), (std::vector{3, 4, 5}));
}

TEST(PageAllocator, PublishedContentIsSharedAndStaysUntilItsPageIsNeeded) {
  PageAllocator allocator(4);
  const std::vector<ContentId> contents = {11, 12, 13};
  auto first = allocator.lease(2);
  allocator.publish(*first, 0, 11);
  allocator.publish(*first, 1, 12);
  auto second = allocator.lease(3, contents);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->n_found(), 2);
  EXPECT_EQ(second->pages()[1], first->pages()[1]);
  EXPECT_EQ(allocator.counts().shared, 2);
  EXPECT_EQ(allocator.counts().leased, 1);
  first.reset();
  second.reset();
  EXPECT_EQ(allocator.n_free(), 4);
  auto third = allocator.lease(4, contents);
  EXPECT_EQ(third->n_found(), 2);
  third.reset();
  { const auto all = allocator.lease(4); }
  EXPECT_EQ(allocator.lease(1, contents)->n_found(), 0) << "leased for something else since";
}

TEST(PageAllocator, ForgottenContentIsNotFoundAnyMore) {
  PageAllocator allocator(8);
  auto lease = allocator.lease(2);
  allocator.publish(*lease, 0, 11);
  allocator.publish(*lease, 1, 12);
  const std::vector<ContentId> contents = {11, 12};
  const auto shared = allocator.lease(2, contents);
  ASSERT_EQ(shared->n_found(), 2);
  allocator.forget(*shared);
  EXPECT_EQ(allocator.lease(2, contents)->n_found(), 0);
  *lease = {};
  EXPECT_EQ(allocator.lease(2, contents)->n_found(), 0) << "nor when who computed it is done";
  EXPECT_EQ(allocator.n_free(), 6);
}

TEST(PageAllocator, ARunOfContentIsFoundOnlyFromItsBeginning) {
  PageAllocator allocator(4);
  const auto lease = allocator.lease(2);
  allocator.publish(*lease, 1, 12);
  const std::vector<ContentId> contents = {11, 12};
  EXPECT_EQ(allocator.lease(2, contents)->n_found(), 0);
}

TEST(PageAllocator, FoundPagesCountAsNeededWhenNobodyHoldsThem) {
  PageAllocator allocator(3);
  {
    const auto lease = allocator.lease(2);
    allocator.publish(*lease, 0, 11);
    allocator.publish(*lease, 1, 12);
  }
  const std::vector<ContentId> contents = {11, 12};
  EXPECT_FALSE(allocator.lease(4, contents));
  EXPECT_TRUE(allocator.lease(3, contents));
}

TEST(PageAllocator, AQuarantinedLeaseGivesBackWhatItFoundAndHoldsTheRest) {
  PageAllocator allocator(4);
  {
    const auto lease = allocator.lease(1);
    allocator.publish(*lease, 0, 11);
  }
  const std::vector<ContentId> contents = {11};
  auto lease = allocator.lease(3, contents);
  lease->quarantine();
  EXPECT_EQ(allocator.counts().quarantined, 2);
  EXPECT_EQ(allocator.n_free(), 2);
  lease.reset();
  EXPECT_EQ(allocator.n_free(), 4);
  EXPECT_EQ(allocator.counts().quarantined, 0);
}

}  // namespace
}  // namespace ferry
