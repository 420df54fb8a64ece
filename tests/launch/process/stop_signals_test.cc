#include "launch/process/stop_signals.h"

#include <gtest/gtest.h>

#include <csignal>

#include "launch/process/child.h"

namespace ferry {
namespace {

TEST(StopSignals, ASignalIsSomethingToAskAboutAndEndsNothing) {
  {
    StopSignals stop;
    EXPECT_FALSE(stop.received());
    raise(SIGTERM);
    EXPECT_TRUE(stop.received());
    EXPECT_TRUE(stop.received());
    raise(SIGINT);  // not asked for any more, and still harmless at the end
  }
  StopSignals again;
  EXPECT_FALSE(again.received());
}

TEST(StopSignals, AChildStillListensToThem) {
  StopSignals stop;
  Child child({.words = {"sleep", "infinity"}, .environment = {}}, [](std::string_view) {});
  EXPECT_EQ(child.terminate(std::chrono::seconds(60)).signal, SIGTERM);
}

}  // namespace
}  // namespace ferry
