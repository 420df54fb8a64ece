#include "core/router/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace ferry {
namespace {

using testing::ElementsAre;

std::vector<RequestId> all_of(FairQueue& queue) {
  std::vector<RequestId> ids;
  while (const auto id = queue.front()) {
    ids.push_back(*id);
    queue.pop();
  }
  return ids;
}

TEST(FairQueue, OneTenantIsServedInOrder) {
  FairQueue queue(10);
  for (RequestId id = 1; id <= 4; ++id) queue.push(id, {}, 5 - id % 2);
  EXPECT_THAT(all_of(queue), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(queue.size(), 0u);
}

TEST(FairQueue, EachPriorityHasItsOwnBound) {
  FairQueue queue(1);
  EXPECT_TRUE(queue.push(1, {.priority = Priority::low}, 1));
  EXPECT_FALSE(queue.push(2, {.priority = Priority::low}, 1));
  EXPECT_TRUE(queue.push(3, {.priority = Priority::high}, 1));
  EXPECT_THAT(all_of(queue), ElementsAre(3, 1));
}

TEST(FairQueue, WhoWasAwayHasSavedUpNothing) {
  FairQueue queue(100);
  for (RequestId id = 1; id <= 10; ++id) queue.push(id, {.key = "a"}, 1);
  for (int i = 0; i < 6; ++i) queue.pop();
  for (RequestId id = 11; id <= 14; ++id) queue.push(id, {.key = "b"}, 1);
  EXPECT_THAT(all_of(queue), ElementsAre(11, 7, 12, 8, 13, 9, 14, 10));
}

TEST(FairQueue, AndWhoIsServedOneByOneIsNotServedMore) {
  FairQueue queue(1000);
  for (RequestId id = 0; id < 200; ++id) queue.push(id, {.key = "many"}, 1);
  int n_one = 0;
  queue.push(1000, {.key = "one"}, 1);
  for (int i = 0; i < 200; ++i) {
    const RequestId id = *queue.front();
    queue.pop();
    if (id < 1000) continue;
    ++n_one;
    queue.push(1000 + n_one, {.key = "one"}, 1);  // it asks again at once, and never for two
  }
  EXPECT_NEAR(n_one, 100, 1);
}

TEST(FairQueue, WhatIsPutBackIsNextAndCostsNothing) {
  FairQueue queue(10);
  queue.push(1, {.key = "a"}, 100);
  queue.push(2, {.key = "b"}, 100);
  EXPECT_EQ(queue.front(), 1);
  queue.pop();
  queue.put_back(1, {.key = "a"}, 100);
  EXPECT_THAT(all_of(queue), ElementsAre(1, 2));
}

TEST(FairQueue, WhatIsRemovedIsNotServed) {
  FairQueue queue(10);
  for (RequestId id = 1; id <= 3; ++id) queue.push(id, {}, 1);
  EXPECT_TRUE(queue.remove(2));
  EXPECT_FALSE(queue.remove(2));
  EXPECT_THAT(all_of(queue), ElementsAre(1, 3));
}

// While all have something waiting, what each has got by its weight differs by no more than one request of each.
TEST(FairQueue, TenantsShareByWeightWhateverTheirRequestsCost) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto between = [&](int low, int high) { return std::uniform_int_distribution(low, high)(random); };
    const int n_tenants = between(2, 5);
    std::vector<Tenant> tenants;
    for (int i = 0; i < n_tenants; ++i) tenants.push_back({.key = std::to_string(i), .weight = between(1, 8) * 0.5});
    FairQueue queue(1 << 20);
    std::map<RequestId, std::pair<int, double>> asked;
    for (RequestId id = 0; id < 4000; ++id) {
      const int tenant = static_cast<int>(id % n_tenants);
      const double cost = between(1, 50);
      asked[id] = {tenant, cost};
      ASSERT_TRUE(queue.push(id, tenants[tenant], cost));
    }
    std::vector<double> got(n_tenants);
    for (int i = 0; i < 400; ++i) {
      const auto [tenant, cost] = asked.at(*queue.front());
      queue.pop();
      got[tenant] += cost / tenants[tenant].weight;
    }
    const auto [least, most] = std::minmax_element(got.begin(), got.end());
    EXPECT_LE(*most - *least, 50 / 0.5);
  }
}

}  // namespace
}  // namespace ferry
