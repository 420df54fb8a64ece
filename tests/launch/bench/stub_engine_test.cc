#include "launch/bench/stub_engine.h"

#include <gtest/gtest.h>

#include <memory>

#include "core/router/router.h"
#include "tests/support/manual_clock.h"

namespace ferry {
namespace {

constexpr StreamId kStream = 3;

// The real router in front of a stub, without a network.
class StubbedRouter : public testing::Test {
 protected:
  void start(const StubRules& rules) {
    stub_ = std::make_unique<StubEngine>(rules);
    stub_->joined();
    exchange();
  }

  void exchange() {
    stub_->turn(clock_.now());
    for (const wire::ToRouter& message : stub_->take_messages()) router_.message(kStream, message);
    router_.tick();
    for (const auto& [stream, message] : router_.take_to_leaders()) stub_->take(message, clock_.now());
    for (RequestEvent& event : router_.take_events()) events_.push_back(std::move(event));
  }

  static StubRules rules() {
    return {.model_hash = 5, .max_context = 100, .token = 9, .prefill = ms(20), .step = ms(5)};
  }

  ManualClock clock_;
  Router router_{{.model_hash = 5}, clock_};
  std::unique_ptr<StubEngine> stub_;
  std::vector<RequestEvent> events_;
};

TEST_F(StubbedRouter, AnswersComeTokenByTokenAtTheStubsPace) {
  start(rules());
  const Instant begun = clock_.now();
  router_.submit({.id = 1, .prompt = {1}, .max_tokens = 3, .sampling = {.seed = 77}}, std::chrono::seconds(9));
  while (events_.empty() || !events_.back().last()) {
    exchange();
    clock_.advance(ms(1));
  }
  ASSERT_EQ(events_.size(), 3u);
  for (const RequestEvent& event : events_) EXPECT_EQ(event.tokens.at(0).id, 9);
  EXPECT_EQ(events_.back().finish, Finish::length);
  const std::vector<Instant>& said = stub_->said().at(77);
  ASSERT_EQ(said.size(), 3u);
  EXPECT_GE(said[0] - begun, ms(20));
  EXPECT_LE(said[0] - begun, ms(25)) << "the next step after its prefill";
  EXPECT_EQ(said[1] - said[0], ms(5));
  EXPECT_EQ(said[2] - said[1], ms(5));
}

TEST_F(StubbedRouter, WhatIsCancelledEndsThereToo) {
  start(rules());
  router_.submit({.id = 1, .prompt = {1}, .max_tokens = 50}, std::chrono::seconds(9));
  exchange();
  router_.cancel(1);
  exchange();
  exchange();
  EXPECT_EQ(router_.n_aborting(), 0) << "the abort was answered";
  const size_t n_said = stub_->said().size();
  clock_.advance(ms(100));
  exchange();
  EXPECT_EQ(stub_->said().size(), n_said);
}

TEST_F(StubbedRouter, ALateStepIsNotMadeUpForByABurst) {
  start(rules());
  router_.submit({.id = 1, .prompt = {1}, .max_tokens = 50, .sampling = {.seed = 1}}, std::chrono::seconds(9));
  exchange();
  clock_.advance(ms(500));
  for (int i = 0; i < 10; ++i) exchange();
  EXPECT_LE(stub_->said().at(1).size(), 2u);
}

}  // namespace
}  // namespace ferry
