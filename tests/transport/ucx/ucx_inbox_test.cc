// A link under attack: bytes that no link would send, from a process that speaks UCX.

#include "transport/ucx/ucx_inbox.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "tests/transport/link_testing.h"
#include "transport/ucx/ucx_endpoint.h"
#include "transport/ucx/ucx_link.h"
#include "transport/ucx/ucx_settings.h"

namespace ferry {
namespace {

constexpr unsigned kSeed = 11;

class UcxInboxUnderAttack : public testing::TestWithParam<UcxOptions::Transport> {
 protected:
  void SetUp() override {
    friendly = {make_ucx_link(options)};
    victim = {make_ucx_link(options)};
    to_victim = friendly.connect(victim);
    ASSERT_TRUE(echo("before"));
  }
  void TearDown() override {
    ucp_request_param_t params{};
    params.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
    params.flags = UCP_EP_CLOSE_FLAG_FORCE;
    void* const closing = ucp_ep_close_nbx(endpoint, &params);
    if (UCS_PTR_IS_PTR(closing)) ucp_request_free(closing);
  }

  // Whether a message from elsewhere still arrives. Until it does, the attacker makes progress as well.
  bool echo(const std::string& message) {
    friendly->send(to_victim, message);
    const auto heard = [&] {
      ucp_worker_progress(worker.get());
      return !victim.received.empty() && victim.received.back() == message;
    };
    return until(heard, {&friendly, &victim});
  }

  ucp_ep_h connect() {
    const UcxAddress address = ucx_address_of(victim.address());
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS | UCP_EP_PARAM_FIELD_ERR_HANDLING_MODE;
    params.address = reinterpret_cast<const ucp_address_t*>(address.worker.data());
    params.err_mode = UCP_ERR_HANDLING_MODE_PEER;
    ucp_ep_h made = nullptr;
    ucp_ep_create(worker.get(), &params, &made);
    return made;
  }

  // Returns when it is delivered, or when the victim has refused it.
  void attack(unsigned id, const std::string& header, const std::string& bytes) {
    if (!endpoint) endpoint = connect();
    ucp_request_param_t params{};
    void* const sending =
        ucp_am_send_nbx(endpoint, id, header.data(), header.size(), bytes.data(), bytes.size(), &params);
    ASSERT_FALSE(UCS_PTR_IS_ERR(sending));
    if (!sending) return;
    const auto sent = [&] {
      ucp_worker_progress(worker.get());
      return ucp_request_check_status(sending) != UCS_INPROGRESS;
    };
    EXPECT_TRUE(until(sent, {&victim}));
    ucp_request_free(sending);
  }
  bool refused(uint64_t n) {
    const auto counted = [&] {
      ucp_worker_progress(worker.get());
      return victim->counters().messages_refused >= n;
    };
    return until(counted, {&victim}) && victim->counters().messages_refused == n;
  }

  std::string random_bytes(size_t n) {
    std::string bytes(n, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
  }

  const UcxOptions options{.transport = GetParam(), .memory_bytes = 4096};
  Observed friendly, victim;
  PeerId to_victim = 0;
  std::mt19937 random{kSeed};
  UcxContext context = open_ucx_context(ucx_settings(options));
  UcxWorker worker = open_ucx_worker(context.get());
  ucp_ep_h endpoint = nullptr;
};

TEST_P(UcxInboxUnderAttack, NoiseIsRefusedAndCountedAndDisturbsNobody) {
  uint64_t n = 0;
  for (const size_t bytes : {0, 1, 7, 8, 100, 5000, 9000, 70000, 2 << 20}) {
    for (const size_t header_bytes : {0, 1, 8, 64}) {
      const std::string header = random_bytes(header_bytes), noise = random_bytes(bytes);
      attack(kMessageId, header, noise);
      attack(kGreetingId, header, noise);
      n += 2;
    }
  }
  EXPECT_TRUE(refused(n)) << victim->counters().messages_refused << " of " << n << ", seed " << kSeed;
  EXPECT_TRUE(echo("after"));
  EXPECT_EQ(victim.received.size(), 2u);
}

TEST_P(UcxInboxUnderAttack, MessagesUnderAnyOtherNumberAreRefused) {
  uint64_t n = 0;
  for (const unsigned id : {0u, 3u, 4u, 7u, 100u, 1000u, 40000u, 65535u}) {
    for (const size_t bytes : {0, 100, 9000, 70000}) {
      attack(id, random_bytes(8), random_bytes(bytes));
      ++n;
    }
  }
  EXPECT_TRUE(refused(n)) << victim->counters().messages_refused << " of " << n << ", seed " << kSeed;
  EXPECT_TRUE(echo("after"));
  EXPECT_EQ(victim.received.size(), 2u);
}

TEST_P(UcxInboxUnderAttack, GreetingsThatAreCutShortOrChangedAreRefused) {
  const UcxAddress address = ucx_address_of(friendly.address());
  const std::string good = packed(UcxGreeting(Hello{.from = address, .to = address.worker}));
  uint64_t n = 0;
  for (int i = 0; i < 200; ++i, ++n) {
    std::string changed = good.substr(0, 1 + random() % good.size());
    char& at = changed[random() % changed.size()];
    at = static_cast<char>(at ^ (1 << random() % 8));
    attack(kGreetingId, {}, changed);
  }
  EXPECT_TRUE(refused(n)) << victim->counters().messages_refused << " of " << n << ", seed " << kSeed;
  EXPECT_TRUE(echo("after"));
}

// They name channels and connections that there are not.
TEST_P(UcxInboxUnderAttack, GreetingsThatMakeNoSenseDisturbNobody) {
  const std::vector<UcxGreeting> greetings{Welcome{.from = "nobody", .connection = 0, .key = "key"},
                                           Welcome{.from = ucx_address_of(victim.address()).worker, .key = ""},
                                           Goodbye{.from = "nobody"}, Farewell{.from = "nobody", .connection = 77}};
  for (const UcxGreeting& greeting : greetings) attack(kGreetingId, {}, packed(greeting));
  friendly->memory()[0] = std::byte{9};
  friendly.put(to_victim, {.from = 0, .to = 5, .bytes = 1});
  friendly->flush(to_victim, 1);
  EXPECT_TRUE(until([&] { return !friendly.flushed.empty(); }, {&friendly, &victim}));
  EXPECT_EQ(victim->memory()[5], std::byte{9});
  EXPECT_TRUE(echo("after"));
}

INSTANTIATE_TEST_SUITE_P(Ucx, UcxInboxUnderAttack,
                         testing::Values(UcxOptions::Transport::shm, UcxOptions::Transport::tcp),
                         [](const auto& transport) {
                           return transport.param == UcxOptions::Transport::shm ? "shm" : "tcp";
                         });

}  // namespace
}  // namespace ferry
