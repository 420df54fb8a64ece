#include "launch/doctor/cluster.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "core/base/error.h"
#include "tests/support/tiny_model.h"

namespace ferry {
namespace {

using testing::HasSubstr;
using Level = Finding::Level;

ClusterConfig cluster(const std::string& rest) {
  return parse_cluster(
      "model: m.gguf\ngroups:\n- {name: p, role: prefill, tp: 2}\n- {name: d, role: decode, tp: 3}\n" + rest, "c.yaml");
}

MachineFacts machine() {
  MachineFacts m;
  m.host = "node1";
  m.n_cores = 8;
  m.memory_bytes = size_t{16} << 30;
  m.available_bytes = size_t{12} << 30;
  m.shared_bytes = size_t{8} << 30;
  return m;
}

Finding finding(const std::vector<Finding>& all, const std::string& what) {
  const auto it = std::ranges::find(all, what, &Finding::what);
  return it == all.end() ? Finding{.what = "none"} : *it;
}

TEST(Cluster, RanksAreCountedWhereTheirHostsAre) {
  GroupConfig group{.name = "a", .role = GroupConfig::Role::mixed, .tp = 4};
  EXPECT_EQ(ranks_on(group, "node1"), 4) << "localhost is wherever we are";
  group.hosts = {"node1:2", "node2:2"};
  EXPECT_EQ(ranks_on(group, "node1"), 2);
  EXPECT_EQ(ranks_on(group, "node3"), 0);
  group.tp = 3;
  EXPECT_EQ(ranks_on(group, "node2"), 2) << "as many as it may be";
}

TEST(Cluster, EachGroupSaysHowItCutsTheModelAndWhatItsKvHolds) {
  const std::vector<std::byte> bytes = gguf_bytes(tiny_model());
  const ModelFile model(GgufFile("tiny", bytes));
  const std::vector<Finding> all = model_findings(cluster("kv: {memory: 128KiB, page_tokens: 16}"), model);
  // 2 layers × 1 KV head × (key and value) × 16 values × 4 bytes = 256 bytes a token: 512 tokens.
  EXPECT_EQ(finding(all, "group p").found, "prefill, TP 2 over 4 heads and 2 KV heads, KV of 512 tokens");
  EXPECT_EQ(finding(all, "group p").cost, "");
  EXPECT_EQ(finding(all, "group d").level, Level::ok) << "more ranks than KV heads share them";

  const std::vector<Finding> small = model_findings(cluster("kv: {memory: 64KiB, page_tokens: 16}"), model);
  EXPECT_EQ(finding(small, "group p").cost, "no request can be longer than that; the model allows 512");
  EXPECT_EQ(finding(small, "group p").advice, "c.yaml:5: a larger kv.memory");
}

TEST(Cluster, KvMemoryThatHoldsNoPageIsAProblem) {
  const std::vector<std::byte> bytes = gguf_bytes(tiny_model());
  const ModelFile model(GgufFile("tiny", bytes));
  const std::vector<Finding> all = model_findings(cluster("kv: {memory: 64KiB, page_tokens: 1024}"), model);
  EXPECT_EQ(finding(all, "group p").level, Level::problem);
}

TEST(Cluster, ATpThatNoPartOfTheModelCanUseIsAProblemWithItsPlace) {
  const std::vector<std::byte> bytes = gguf_bytes(tiny_model());
  const ModelFile model(GgufFile("tiny", bytes));
  const ClusterConfig config = parse_cluster("model: m\ngroups:\n- name: a\n  role: mixed\n  tp: 500\n", "c.yaml");
  const Finding f = finding(model_findings(config, model), "group a");
  EXPECT_EQ(f.level, Level::problem);
  EXPECT_EQ(f.advice, "c.yaml:5: a smaller tp");
}

TEST(Cluster, RanksThatDoNotFitTheMachineAreNamed) {
  const size_t weights = size_t{1} << 30;
  const std::vector<Finding> good = fit_findings(cluster(""), weights, machine());
  for (const Finding& f : good) EXPECT_EQ(f.level, Level::ok) << f.what;
  EXPECT_EQ(finding(good, "memory of the ranks").found, "2.0GiB weights and 1.2GiB KV for 5 ranks here");

  EXPECT_EQ(finding(fit_findings(cluster("kv: {memory: 4GiB}"), weights, machine()), "memory of the ranks").level,
            Level::problem);
  MachineFacts busy = machine();
  busy.available_bytes = size_t{3} << 30;
  EXPECT_EQ(finding(fit_findings(cluster(""), weights, busy), "memory of the ranks").level, Level::warning);

  EXPECT_EQ(finding(fit_findings(cluster("threads: 2"), weights, machine()), "cores of the ranks").level,
            Level::warning);
  MachineFacts container = machine();
  container.shared_bytes = 64 << 20;
  EXPECT_EQ(finding(fit_findings(cluster(""), weights, container), "/dev/shm").level, Level::warning);
}

TEST(Cluster, WhatTheMachineCannotDoIsAProblem) {
  EXPECT_EQ(finding(fit_findings(cluster("link: {require: rdma}"), 0, machine()), "link").level, Level::problem);
  MachineFacts with_rdma = machine();
  with_rdma.rdma_ports = {{"rxe0:1", "ACTIVE"}};
  EXPECT_EQ(finding(fit_findings(cluster("link: {require: rdma}"), 0, with_rdma), "link").level, Level::ok);
}

TEST(Cluster, RanksWantACardEachUnlessTheyMayShare) {
  const std::string shared = "compute: cuda\ncuda: {share_cards: on}";
  const auto cards = [](const std::string& rest, int n) {
    MachineFacts m = machine();
    m.n_cards = n;
    if (n == 0) m.why_no_cuda = "no NVIDIA driver on this machine";
    return finding(fit_findings(cluster(rest), 0, m), "cards of the ranks");
  };
  EXPECT_EQ(cards("compute: cuda", 5).level, Level::ok);
  EXPECT_EQ(cards("compute: cuda", 5).found, "5 ranks here, 5 cards");
  EXPECT_EQ(cards("compute: cuda", 4).level, Level::problem);
  EXPECT_EQ(cards(shared, 1).level, Level::warning);
  EXPECT_EQ(cards(shared, 0).level, Level::problem);
  EXPECT_THAT(cards("compute: cuda", 0).cost, HasSubstr("no NVIDIA driver on this machine"));
  EXPECT_EQ(cards("compute: auto", 0).what, "none");
}

TEST(Cluster, APortThatIsTakenIsAProblemAndAFreeOneIsNot) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  const std::string taken = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const std::vector<Finding> all = port_findings(cluster("router: {listen: '" + taken + "', control: '127.0.0.1:0'}"));
  EXPECT_EQ(finding(all, "router.listen").level, Level::problem);
  EXPECT_EQ(finding(all, "router.listen").found, taken + ": Address already in use");
  EXPECT_EQ(finding(all, "router.control").level, Level::ok);
  close(listener);
}

TEST(Cluster, AHostThatNobodyKnowsIsAProblemAndThisOneIsNotLookedUp) {
  ClusterConfig config = cluster("");
  config.groups[0].hosts = {"localhost:2", "node1"};
  EXPECT_TRUE(host_findings(config, "node1").empty());
  config.groups[1].hosts = {"no-such-host.invalid:4"};
  const Finding f = finding(host_findings(config, "node1"), "host no-such-host.invalid");
  EXPECT_EQ(f.level, Level::problem);
  EXPECT_THAT(f.advice, HasSubstr("getent hosts no-such-host.invalid"));
}

TEST(Cluster, GroupsThatCouldNotReachTheRouterAreNamed) {
  ClusterConfig config = cluster("router: {control: '127.0.0.1:8001'}");
  EXPECT_TRUE(reach_findings(config, "node1").empty());
  config.groups[1].hosts = {"node2:3"};
  const Finding f = finding(reach_findings(config, "node1"), "router.control");
  EXPECT_EQ(f.level, Level::problem);
  EXPECT_EQ(f.cost, "group d on node2 could not reach the router");
  config.router.control.host = "node1";
  EXPECT_TRUE(reach_findings(config, "node1").empty());
  config.router.control.port = 0;
  EXPECT_THAT(finding(reach_findings(config, "node1"), "router.control").cost, HasSubstr("could not know the port"));
}

TEST(Cluster, SharedMemoryDoesNotReachOtherHosts) {
  ClusterConfig config = cluster("link: {transport: shm}");
  EXPECT_TRUE(reach_findings(config, "node1").empty());
  config.router.control.host = "node1";
  config.groups[0].hosts = {"node1"};
  config.groups[1].hosts = {"node2"};
  EXPECT_EQ(finding(reach_findings(config, "node1"), "link.transport").cost,
            "groups on node1, node2 have no memory in common");
  config.link.transport = LinkConfig::Transport::cuda;
  EXPECT_EQ(finding(reach_findings(config, "node1"), "link.transport").level, Level::problem);
}

TEST(Cluster, AnAddressOfAnotherMachineIsAWarning) {
  const std::vector<Finding> all = port_findings(cluster("router: {listen: '192.0.2.1:80'}"));
  EXPECT_EQ(finding(all, "router.listen").level, Level::warning);
}

}  // namespace
}  // namespace ferry
