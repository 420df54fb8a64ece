#include "transport/ucx/ucx_carrier.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

TEST(UcxCarrier, IsTheLaneOfPuts) {
  EXPECT_EQ(carrier_in("#               peer: <no debug data>\n"
                       "#                 lane[0]:  1:sysv/memory.0 md[1]     -> md[1]/sysv/sysdev[255] am am_bw#0\n"
                       "#                 lane[1]:  2:posix/memory.0 md[2]    -> md[2]/posix/sysdev[255]\n"
                       "#\n"
                       "#                  put[0]: 0..<short>..4294967296..<bcopy>..(inf)\n"
                       "#                  get[0]: 0..<bcopy>..(inf)\n"),
            "shm");
  EXPECT_EQ(carrier_in("#                 lane[0]: 12:tcp/eth0.0 md[0]       -> md[0]/tcp/sysdev[255] am wireup\n"
                       "#                 lane[1]:  2:rc_mlx5/mlx5_0:1.0 md[2] -> md[2]/ib/sysdev[3] rma_bw#0\n"
                       "#                  put[1]: 0..<short>..220..<bcopy>..8k..<zcopy>..(inf)\n"),
            "rdma");
}

TEST(UcxCarrier, IsTheLaneOfMessagesWhenUcxMakesPutsOutOfThem) {
  EXPECT_EQ(
      carrier_in(
          "#                 lane[0]:  2:rc_verbs/rxe0:1.0 md[2]   -> md[2]/ib/sysdev[255] rma_bw#0\n"
          "#                 lane[1]:  1:tcp/lo.0 md[0]   -> md[0]/tcp/sysdev[255] am am_bw#0 keepalive wireup\n"),
      "tcp");
  EXPECT_EQ(carrier_in("#                 lane[0]:  1:tcp/lo.0 md[0]   -> md[0]/tcp/sysdev[255] am\n"), "tcp");
}

TEST(UcxCarrier, IsUnknownWhenUcxDoesNotTell) { EXPECT_EQ(carrier_in("#\n# UCP endpoint\n#\n"), "unknown"); }

}  // namespace
}  // namespace ferry
