// What every control stream has to do, over memory and over gRPC.

#include <gmock/gmock.h>

#include <map>
#include <random>
#include <vector>

#include "tests/transport/control/ends.h"
#include "transport/control/limits.h"

namespace ferry {
namespace {

using testing::HasSubstr;

std::string bytes_of(size_t n) {
  std::mt19937 random(static_cast<uint32_t>(n));
  std::string bytes(n, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return bytes;
}

struct Kind {
  const char* name;
  std::unique_ptr<ControlNetwork> (*make)();
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class ControlContract : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    if (std::string_view(GetParam().name) == "Grpc" && !grpc_can_be_tested()) GTEST_SKIP() << kWhyNoGrpc;
    network_ = GetParam().make();
    router_ = network_->listen();
  }

  // A stream that both ends know.
  void open() {
    leader_ = network_->dial();
    at_router_ = next<StreamOpened>(*router_).stream;
    at_leader_ = next<StreamOpened>(*leader_).stream;
  }

  std::unique_ptr<ControlNetwork> network_;
  std::unique_ptr<ControlStream> router_;
  std::unique_ptr<ControlStream> leader_;
  StreamId at_router_ = 0;
  StreamId at_leader_ = 0;
};

INSTANTIATE_TEST_SUITE_P(
    Over, ControlContract,
    testing::Values(Kind{"Memory",
                         []() -> std::unique_ptr<ControlNetwork> { return std::make_unique<MemoryNetwork>(); }},
                    Kind{"Grpc", []() -> std::unique_ptr<ControlNetwork> { return std::make_unique<GrpcNetwork>(); }}),
    [](const auto& named) { return std::string(named.param.name); });

TEST_P(ControlContract, NothingHappensUntilSomebodyDials) {
  EXPECT_FALSE(router_->poll());
  open();
  EXPECT_FALSE(router_->poll());
  EXPECT_FALSE(leader_->wait(std::chrono::milliseconds(1)));
}

TEST_P(ControlContract, CarriesMessagesOfAnySizeBothWays) {
  open();
  for (const size_t n : {size_t{0}, size_t{1}, size_t{1000}, size_t{100'000}, size_t{8} << 20, kMaxMessageBytes}) {
    router_->send(at_router_, bytes_of(n));
    EXPECT_TRUE(next_message(*leader_) == bytes_of(n)) << n << " bytes down";
    leader_->send(at_leader_, bytes_of(n));
    EXPECT_TRUE(next_message(*router_) == bytes_of(n)) << n << " bytes up";
  }
}

TEST_P(ControlContract, KeepsManySmallMessagesInOrderBothWays) {
  constexpr int kMessages = 10'000;
  open();
  for (int i = 0; i < kMessages; ++i) {
    router_->send(at_router_, str("down ", i));
    leader_->send(at_leader_, str("up ", i));
  }
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_EQ(next_message(*leader_), str("down ", i));
    ASSERT_EQ(next_message(*router_), str("up ", i));
  }
}

TEST_P(ControlContract, KeepsManyLeadersApart) {
  std::vector<std::unique_ptr<ControlStream>> leaders;
  for (int i = 0; i < 20; ++i) {
    leaders.push_back(network_->dial());
    leaders.back()->send(next<StreamOpened>(*leaders.back()).stream, str("leader ", i));
  }
  std::map<StreamId, std::string> names;
  while (names.size() < leaders.size()) {
    const std::optional<ControlEvent> event = router_->wait(std::chrono::seconds(60));
    ASSERT_TRUE(event);
    if (const auto* message = std::get_if<StreamMessage>(&*event)) names[message->stream] = message->bytes;
  }
  for (const auto& [stream, name] : names) router_->send(stream, "hello " + name);
  for (size_t i = 0; i < leaders.size(); ++i) EXPECT_EQ(next_message(*leaders[i]), str("hello leader ", i));
}

TEST_P(ControlContract, AStreamThatTheRouterClosesEndsOnBothEndsAfterWhatWasSent) {
  open();
  router_->send(at_router_, "last words");
  router_->close(at_router_);
  EXPECT_EQ(next<StreamClosed>(*router_).why, "closed by this end");
  EXPECT_EQ(next_message(*leader_), "last words");
  const StreamClosed closed = next<StreamClosed>(*leader_);
  EXPECT_EQ(closed.stream, at_leader_);
  EXPECT_THAT(closed.why, HasSubstr("closed"));
}

TEST_P(ControlContract, AStreamThatTheLeaderClosesEndsOnBothEndsAfterWhatWasSent) {
  open();
  leader_->send(at_leader_, "last words");
  leader_->close(at_leader_);
  EXPECT_EQ(next_message(*router_), "last words");
  const StreamClosed closed = next<StreamClosed>(*router_);
  EXPECT_EQ(closed.stream, at_router_);
  EXPECT_THAT(closed.why, HasSubstr("closed"));
  EXPECT_EQ(next<StreamClosed>(*leader_).why, "closed by this end");
}

TEST_P(ControlContract, ALeaderWhoseStreamWasClosedDialsAgainAndTheOldStreamStaysDead) {
  open();
  router_->close(at_router_);
  next<StreamClosed>(*router_);
  next<StreamClosed>(*leader_);
  const StreamId new_at_router = next<StreamOpened>(*router_).stream;
  const StreamId new_at_leader = next<StreamOpened>(*leader_).stream;
  EXPECT_NE(new_at_router, at_router_);
  EXPECT_NE(new_at_leader, at_leader_);
  leader_->send(at_leader_, "to the old stream");
  leader_->send(new_at_leader, "to the new stream");
  EXPECT_EQ(next_message(*router_), "to the new stream");
  router_->send(at_router_, "to the old stream");
  router_->close(at_router_);
  router_->send(new_at_router, "to the new stream");
  EXPECT_EQ(next_message(*leader_), "to the new stream");
}

TEST_P(ControlContract, ALeaderThatGoesAwayIsSeenByTheRouter) {
  open();
  leader_.reset();
  const StreamClosed closed = next<StreamClosed>(*router_);
  EXPECT_EQ(closed.stream, at_router_);
  EXPECT_THAT(closed.why, HasSubstr("gone"));
}

TEST_P(ControlContract, ARouterThatGoesAwayIsSeenByTheLeaderWhichFindsTheNextOne) {
  open();
  router_.reset();
  EXPECT_NE(next<StreamClosed>(*leader_).why, "");
  router_ = network_->listen();
  const StreamId stream = next<StreamOpened>(*leader_).stream;
  next<StreamOpened>(*router_);
  leader_->send(stream, "here again");
  EXPECT_EQ(next_message(*router_), "here again");
}

TEST_P(ControlContract, AMessageOverTheLimitClosesItsStreamOnly) {
  open();
  const auto other_leader = network_->dial();
  const StreamId other = next<StreamOpened>(*router_).stream;
  next<StreamOpened>(*other_leader);

  router_->send(at_router_, std::string(kMaxMessageBytes + 1, 'x'));
  EXPECT_THAT(next<StreamClosed>(*router_).why, HasSubstr("over the limit"));
  EXPECT_THAT(next<StreamClosed>(*leader_).why, HasSubstr("over the limit"));

  router_->send(other, "still there");
  EXPECT_EQ(next_message(*other_leader), "still there");
}

TEST_P(ControlContract, ALeaderThatDoesNotReadLosesItsStreamAndTheOthersDoNot) {
  open();
  const auto other_leader = network_->dial();
  const StreamId other = next<StreamOpened>(*router_).stream;
  next<StreamOpened>(*other_leader);

  // What is unsent here, unread there and on the way in between is bounded.
  std::optional<ControlEvent> event;
  const std::string message(kMaxMessageBytes / 2, 'x');
  for (size_t n_bytes = 0; !event && n_bytes < 2 * (kMaxUnsentBytes + kMaxUnreadBytes); n_bytes += message.size()) {
    router_->send(at_router_, message);
    event = router_->poll();
  }
  if (!event) event = router_->wait(std::chrono::seconds(60));
  ASSERT_TRUE(event && std::holds_alternative<StreamClosed>(*event));
  EXPECT_EQ(std::get<StreamClosed>(*event).stream, at_router_);
  EXPECT_THAT(std::get<StreamClosed>(*event).why, HasSubstr("bytes behind"));

  router_->send(other, "still there");
  EXPECT_EQ(next_message(*other_leader), "still there");
}

TEST_P(ControlContract, EndsCanBeDestroyedWithAllTheirBusinessUnfinished) {
  open();
  for (int i = 0; i < 100; ++i) {
    router_->send(at_router_, bytes_of(100'000));
    leader_->send(at_leader_, bytes_of(100'000));
  }
  router_.reset();
  leader_.reset();
}

}  // namespace
}  // namespace ferry
