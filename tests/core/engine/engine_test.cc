// What an engine makes of introductions that come twice, late or out of order; the rest of it: tests/flow, tests/sim.

#include <gtest/gtest.h>

#include <algorithm>

#include "core/engine/engine.h"
#include "tests/support/made_up_group.h"
#include "tests/support/manual_clock.h"

namespace ferry {
namespace {

class EnginePairs : public testing::Test {
 protected:
  void introduce(wire::Pairing pairing) {
    engine.handle(
        wire::Introduce{.pairing = pairing, .peer = made_up_group("d0", wire::Role::decode), .you_send = true});
  }
  std::vector<wire::Pairing> unpaired() {
    std::vector<wire::Pairing> pairings;
    for (const auto& message : engine.take_to_router()) {
      if (const auto* m = std::get_if<wire::Unpaired>(&message)) pairings.push_back(m->pairing);
    }
    return pairings;
  }

  ManualClock clock;
  Engine engine{{.me = made_up_group("p0", wire::Role::prefill), .n_vocab = 10, .limits = {}}, clock};
};

TEST_F(EnginePairs, AnIntroductionThatIsSaidTwiceIsOne) {
  introduce(7);
  introduce(7);
  EXPECT_TRUE(unpaired().empty());
  EXPECT_EQ(engine.next_step()->opens.size(), 1u);
}

TEST_F(EnginePairs, TheRouterHearsOfAPairThatAnotherIntroductionEnds) {
  introduce(7);
  introduce(6);  // late, it may be: the router counts on 7
  EXPECT_EQ(unpaired(), std::vector<wire::Pairing>{7});
}

TEST_F(EnginePairs, APairThatIsOverIsNotBegunAgain) {
  introduce(7);
  engine.handle(wire::Forget{.pairing = 7, .why = "a test"});
  introduce(7);
  EXPECT_EQ(unpaired(), std::vector<wire::Pairing>{7});
  EXPECT_TRUE(engine.next_step()->opens.empty());
}

TEST_F(EnginePairs, NothingIsPrefilledForAPairThatIsNotConnected) {
  introduce(7);
  engine.handle(
      wire::Prefill{.request = {.prompt = {1}}, .ticket = {.pairing = 7, .pages = {{}}}, .deadline_ms = 1000});
  const auto told = engine.take_to_router();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(std::get<wire::Failed>(told[0]).cause, wire::Cause::pair);
}

}  // namespace
}  // namespace ferry
