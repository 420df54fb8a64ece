// Certificates of control streams that are renewed while streams are open.

#include <gmock/gmock.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "tests/support/certificates.h"
#include "tests/transport/control/ends.h"

namespace ferry {
namespace {

// What an end shows and trusts from now on, and how often it was asked for that.
class Shown {
 public:
  explicit Shown(ControlTls tls) : tls_(std::move(tls)) {}

  void renew(ControlTls tls) {
    const std::lock_guard lock(mutex_);
    tls_ = std::move(tls);
  }

  // Until that many more connections have begun.
  void wait_for_connections(int n) {
    std::unique_lock lock(mutex_);
    const int target = n_asked_ + n;
    const auto done = [&] { return n_asked_ >= target; };
    if (!asked_.wait_for(lock, std::chrono::seconds(60), done)) throw Error("nobody dials");
  }

  ControlSecurity security() {
    return {.tls = [this] {
      const std::lock_guard lock(mutex_);
      ++n_asked_;
      asked_.notify_all();
      return tls_;
    }};
  }

 private:
  std::mutex mutex_;
  std::condition_variable asked_;
  ControlTls tls_;
  int n_asked_ = 0;
};

class GrpcTls : public testing::Test {
 protected:
  void SetUp() override {
    if (!grpc_can_be_tested()) GTEST_SKIP() << kWhyNoGrpc;
    if (!certificates_can_be_made()) GTEST_SKIP() << kWhyNoCertificates;
    first_.emplace();
    second_.emplace();
    at_router_.emplace(first_->issue());
    at_leader_.emplace(first_->issue());
    server_ = make_grpc_control_server("127.0.0.1:0", at_router_->security());
  }

  std::unique_ptr<ControlStream> dial(const ControlSecurity& security) const {
    return make_grpc_control_client(str("127.0.0.1:", server_.port), security);
  }
  ControlStream& router() { return *server_.streams; }

  std::optional<Authority> first_, second_;
  std::optional<Shown> at_router_, at_leader_;  // by the first one's leave
  ControlServer server_;
};

TEST_F(GrpcTls, ARenewedAuthorityServesNewStreamsAndOpenOnesStay) {
  const auto leader = dial(at_leader_->security());
  const StreamId in_router = next<StreamOpened>(router()).stream, in_leader = next<StreamOpened>(*leader).stream;

  at_router_->renew(second_->issue());
  Shown renewed(second_->issue());
  const auto late_leader = dial(renewed.security());
  next<StreamOpened>(router());
  next<StreamOpened>(*late_leader);

  router().send(in_router, "still there?");
  EXPECT_EQ(next_message(*leader), "still there?");
  leader->send(in_leader, "still there");
  EXPECT_EQ(next_message(router()), "still there");
}

TEST_F(GrpcTls, AnAuthorityThatIsNoLongerTrustedLetsNobodyIn) {
  const auto leader = dial(at_leader_->security());
  next<StreamOpened>(router());
  next<StreamOpened>(*leader);

  ControlTls now = second_->issue();
  at_router_->renew(now);
  const auto mistrusting = dial(at_leader_->security());
  EXPECT_THAT(next<StreamRefused>(*mistrusting).why, testing::HasSubstr("127.0.0.1"));

  // Trusts the router, which does not trust it. The third attempt begins when the first has ended.
  ControlTls left_over = first_->issue();
  left_over.ca = now.ca;
  Shown old(left_over);
  const auto stranger = dial(old.security());
  old.wait_for_connections(3);
  EXPECT_FALSE(stranger->poll());
  EXPECT_FALSE(router().poll());
}

TEST_F(GrpcTls, ALeaderThatDialsAgainShowsWhatItHasThen) {
  const auto leader = dial(at_leader_->security());
  const StreamId in_router = next<StreamOpened>(router()).stream;
  next<StreamOpened>(*leader);

  at_router_->renew(second_->issue());
  at_leader_->renew(second_->issue());
  router().close(in_router);
  next<StreamClosed>(router());
  next<StreamClosed>(*leader);
  const StreamId again = next<StreamOpened>(router()).stream;
  next<StreamOpened>(*leader);
  router().send(again, "welcome back");
  EXPECT_EQ(next_message(*leader), "welcome back");
}

TEST_F(GrpcTls, WhatIsNoCertificateReplacesNoneAndAGoodOneDoesAfterwards) {
  ControlTls broken = second_->issue();
  broken.certificate.resize(broken.certificate.size() / 2);
  at_router_->renew(broken);
  const auto leader = dial(at_leader_->security());
  next<StreamOpened>(router());
  next<StreamOpened>(*leader);

  at_router_->renew(second_->issue());
  Shown renewed(second_->issue());
  const auto late_leader = dial(renewed.security());
  next<StreamOpened>(router());
  next<StreamOpened>(*late_leader);
}

}  // namespace
}  // namespace ferry
