#include "transport/ucx/ucx_courier.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/transport/link_testing.h"
#include "transport/ucx/ucx_link.h"
#include "transport/ucx/ucx_settings.h"

namespace ferry {
namespace {

// Whoever greets and is greeted, without a link.
class Correspondent {
 public:
  explicit Correspondent(const UcxOptions& options)
      : context_(open_ucx_context(ucx_settings(options))), worker_(open_ucx_worker(context_.get())) {}

  const UcxAddress& address() const { return address_; }
  void poll() const { ucp_worker_progress(worker_.get()); }
  void greet(const UcxAddress& to, const UcxGreeting& greeting) {
    if (!endpoint_) endpoint_ = std::make_unique<UcxEndpoint>(worker_.get(), requests_, to, [](const std::string&) {});
    endpoint_->greet(greeting);
  }

  template <class Greeting>
  std::vector<Greeting> heard() const {
    std::vector<Greeting> result;
    for (const UcxGreeting& greeting : heard_) {
      if (const auto* one = std::get_if<Greeting>(&greeting)) result.push_back(*one);
    }
    return result;
  }

 private:
  UcxContext context_;
  UcxRequests requests_;
  std::vector<UcxGreeting> heard_;
  std::unique_ptr<UcxEndpoint> endpoint_;
  UcxWorker worker_;
  const UcxAddress address_{
      .worker = address_of(worker_.get()), .base = 4096, .bytes = 4096, .process = this_process()};
  UcxInbox inbox_{worker_.get(),
                  requests_,
                  tag_of(address_),
                  {.message = [](const std::string&) {},
                   .greeting = [this](UcxGreeting greeting) { heard_.push_back(std::move(greeting)); },
                   .refused = [] {}}};
};

class UcxCourierTest : public testing::Test {
 protected:
  bool until(const std::function<bool()>& done) {
    const auto polled_and_done = [&] {
      correspondent.poll();
      courier.progress();
      return done();
    };
    return ferry::until(polled_and_done, {&link});
  }

  const UcxOptions options{.transport = UcxOptions::Transport::shm, .memory_bytes = 4096};
  Observed link{make_ucx_link(options)};
  Correspondent correspondent{options};
  UcxContext context = open_ucx_context(ucx_settings(options));
  UcxCourier courier{context.get()};
};

TEST_F(UcxCourierTest, WhatIsUnderWayIsNotSentTwice) {
  courier.deliver(correspondent.address(), Farewell{.from = "one", .connection = 1});
  courier.deliver(correspondent.address(), Farewell{.from = "one", .connection = 1});
  courier.deliver(correspondent.address(), Farewell{.from = "one", .connection = 2});
  EXPECT_TRUE(until([&] { return courier.idle(); }));
  EXPECT_TRUE(until([&] { return correspondent.heard<Farewell>().size() >= 3; }));  // the third says that it is over
  int of_one = 0;
  for (const Farewell& farewell : correspondent.heard<Farewell>()) of_one += farewell.from == "one";
  EXPECT_EQ(of_one, 2);
}

TEST_F(UcxCourierTest, WhatIsWithdrawnIsNotSent) {
  courier.deliver(correspondent.address(), Goodbye{.from = "somebody", .again = true});
  courier.deliver(correspondent.address(), Goodbye{.from = "another", .again = true});
  courier.withdraw(Goodbye{.from = "somebody", .again = true});
  EXPECT_TRUE(until([&] { return courier.idle() && !correspondent.heard<Goodbye>().empty(); }));
  EXPECT_EQ(correspondent.heard<Goodbye>(), (std::vector<Goodbye>{{.from = "another", .again = true}}));
}

TEST_F(UcxCourierTest, ToAProcessThatHasEndedNothingIsSent) {
  UcxAddress of_the_dead = correspondent.address();
  ++of_the_dead.process.started;
  courier.deliver(of_the_dead, Farewell{.from = "one", .connection = 1});
  EXPECT_TRUE(until([&] { return courier.idle(); }));
  EXPECT_TRUE(correspondent.heard<Farewell>().empty());
}

TEST_F(UcxCourierTest, AGoodbyeThatIsSaidAgainIsAnsweredAgain) {
  const PeerId to_correspondent = link.connect(packed(correspondent.address()));
  ASSERT_TRUE(until([&] { return !correspondent.heard<Hello>().empty(); }));
  const UcxAddress of_link = correspondent.heard<Hello>()[0].from;
  correspondent.greet(of_link, Goodbye{.from = correspondent.address().worker});
  ASSERT_TRUE(until([&] { return correspondent.heard<Farewell>().size() == 1; }));
  correspondent.greet(of_link, Goodbye{.from = correspondent.address().worker, .again = true});
  ASSERT_TRUE(until([&] { return correspondent.heard<Farewell>().size() >= 2; }));
  const Farewell expected{.from = of_link.worker, .connection = to_correspondent};
  EXPECT_EQ(correspondent.heard<Farewell>()[0], expected);
  EXPECT_EQ(correspondent.heard<Farewell>()[1], expected);
}

}  // namespace
}  // namespace ferry
