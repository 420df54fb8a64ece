#include "launch/bench/device_waits.h"

#include <gtest/gtest.h>

#include "tests/parallel/cuda/fake_card.h"
#include "tests/support/manual_clock.h"

namespace ferry {
namespace {

using std::chrono::microseconds;

TEST(DeviceWaits, AddUpWhatIsWaitedAndNothingOfWhatIsBetween) {
  FakeCard card;
  ManualClock clock;
  const Device::Look* watching = nullptr;
  // Looks at 3, 5 and 9 µs of each wait, of which the last says that it is over.
  card.on_wait = [&](const Device::Look& look) {
    watching = &look;
    const Instant begin = clock.now();
    for (const int us : {3, 2, 4}) {
      clock.advance(microseconds(us));
      if (look) look(clock.now() - begin);
    }
  };
  {
    const DeviceWaits waits(card, clock);
    EXPECT_EQ(waits.total(), Duration::zero());
    for (int step = 1; step <= 3; ++step) {
      clock.advance(microseconds(40));
      card.wait();
      EXPECT_EQ(waits.total(), step * microseconds(9));
    }
    card.wait();  // at once after another one
    EXPECT_EQ(waits.total(), microseconds(36));
  }
  card.wait();
  EXPECT_FALSE(*watching) << "it looks no more when it is gone";
}

}  // namespace
}  // namespace ferry
