#include "transport/ucx/process.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace ferry {
namespace {

Process start_child() {  // does nothing until it is killed
  const pid_t pid = fork();
  while (pid == 0) pause();
  return process_of(pid);
}

TEST(Process, ThisOneHasNotEnded) {
  EXPECT_FALSE(has_ended(this_process()));
  EXPECT_EQ(this_process(), this_process());
}

TEST(Process, AKilledOneHasEndedEvenBeforeItsParentKnows) {
  const Process child = start_child();
  EXPECT_FALSE(has_ended(child));
  kill(child.pid, SIGKILL);
  siginfo_t info{};
  waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOWAIT);  // dead, not buried
  EXPECT_TRUE(has_ended(child));
  waitpid(child.pid, nullptr, 0);
  EXPECT_TRUE(has_ended(child));
}

TEST(Process, AnotherOneUnderTheSameNumberIsNotTheSame) {
  Process earlier = this_process();
  earlier.started -= 1;
  EXPECT_TRUE(has_ended(earlier));
}

TEST(Process, OneOnAnotherHostIsNotJudged) {
  Process elsewhere = this_process();
  elsewhere.host = "another boot";
  elsewhere.started -= 1;
  EXPECT_FALSE(has_ended(elsewhere));
}

}  // namespace
}  // namespace ferry
