#include "launch/doctor/cards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

using testing::HasSubstr;
using Level = Finding::Level;

const PciPlace kCard = {"0000:41:00.0", "/sys/devices/pci0000:40/0000:40:01.1/0000:41:00.0", 0};
const PciPlace kBeside = {"mlx5_0", "/sys/devices/pci0000:40/0000:40:01.1/0000:42:00.0", 0};
const PciPlace kSameRoot = {"mlx5_1", "/sys/devices/pci0000:40/0000:40:03.1/0000:43:00.0", 0};
const PciPlace kSameSocket = {"mlx5_2", "/sys/devices/pci0000:60/0000:60:01.1/0000:61:00.0", 0};
const PciPlace kFar = {"mlx5_3", "/sys/devices/pci0000:c0/0000:c0:01.1/0000:c1:00.0", 1};

TEST(Cards, DistancesFollowPcie) {
  EXPECT_EQ(distance(kCard, kBeside), PciDistance::one_switch);
  EXPECT_EQ(distance(kCard, kSameRoot), PciDistance::one_root);
  EXPECT_EQ(distance(kCard, kSameSocket), PciDistance::one_socket);
  EXPECT_EQ(distance(kCard, kFar), PciDistance::across);
}

TEST(Cards, WithoutOneNothingIsSaid) { EXPECT_FALSE(card_kv_finding({.rdma_devices = {kBeside}, .ucx = "1.13.1"})); }

TEST(Cards, AUcxWithoutCudaGoesByWayOfPinnedMemoryAndSaysWhatThatCosts) {
  const auto f = card_kv_finding({.cards = {kCard}, .rdma_devices = {kFar, kBeside}, .ucx = "1.13.1"});
  ASSERT_TRUE(f);
  EXPECT_EQ(f->level, Level::ok);
  EXPECT_EQ(f->found,
            "by way of pinned memory, UCX 1.13.1 knows no memory of cards; 0000:41:00.0 and mlx5_0 behind one switch");
  EXPECT_THAT(f->cost, HasSubstr("copy over PCIe on each side"));
  EXPECT_THAT(f->advice, HasSubstr("FERRY_UCX_ROOT"));
}

TEST(Cards, DirectPutsNeedAWayForTheNetworkToReachTheCard) {
  CardFacts facts = {.cards = {kCard}, .rdma_devices = {kBeside}, .ucx = "1.22.0", .ucx_knows_cuda = true};
  EXPECT_EQ(card_kv_finding(facts)->level, Level::warning);
  EXPECT_THAT(card_kv_finding(facts)->advice, HasSubstr("modprobe nvidia_peermem"));
  facts.open_driver = true;
  EXPECT_EQ(card_kv_finding(facts)->level, Level::ok);
  EXPECT_THAT(card_kv_finding(facts)->found, HasSubstr("dma-buf"));
  facts.rdma_devices = {kFar};
  EXPECT_THAT(card_kv_finding(facts)->cost, HasSubstr("crosses the sockets"));
}

}  // namespace
}  // namespace ferry
