#include "launch/process/child.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "core/base/error.h"

namespace ferry {
namespace {

constexpr Duration kLong = std::chrono::seconds(60);  // a bound for what takes milliseconds

struct Heard {
  std::vector<std::string> lines;
  Child::OnLine on_line() {
    return [this](std::string_view line) { lines.emplace_back(line); };
  }
};

ProcessCommand shell(const std::string& script) { return {.words = {"sh", "-c", script}, .environment = {}}; }

// Of a process that somebody else has to reap, a zombie may stay; it does nothing any more.
bool is_gone(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return !(stat >> number >> name >> state) || state == "Z";
}

// For what the kernel and init do in their own time.
bool goes_away(pid_t pid) {
  const Instant until = std::chrono::steady_clock::now() + kLong;
  while (!is_gone(pid) && std::chrono::steady_clock::now() < until) usleep(1000);
  return is_gone(pid);
}

TEST(Child, ItsLinesArriveAndThenItsExit) {
  Heard heard;
  Child child(shell("echo one; echo two >&2; printf three; exit 5"), heard.on_line());
  EXPECT_EQ(child.poll(kLong), (ProcessExit{.status = 5, .signal = 0}));
  EXPECT_THAT(heard.lines, testing::UnorderedElementsAre("one", "two", "three"));
  EXPECT_EQ(child.poll(), (ProcessExit{.status = 5, .signal = 0})) << "asking again gives the same answer";
}

TEST(Child, ASignalThatEndsItIsNamed) {
  Heard heard;
  Child child(shell("kill -9 $$"), heard.on_line());
  const std::optional<ProcessExit> exit = child.poll(kLong);
  ASSERT_TRUE(exit);
  EXPECT_FALSE(exit->well());
  EXPECT_EQ(exit->text(), "killed by signal 9 (Killed)");
  EXPECT_EQ((ProcessExit{.status = 3}).text(), "exit status 3");
}

TEST(Child, AProgramThatIsNotThereIsAnError) {
  EXPECT_THAT([] { Child({.words = {"no-such-program"}, .environment = {}}, [](std::string_view) {}); },
              testing::ThrowsMessage<Error>("cannot start no-such-program: No such file or directory"));
}

TEST(Child, AHugeLineComesInPartsAndNothingIsLost) {
  Heard heard;
  Child child(shell("head -c 200000 /dev/zero | tr '\\0' x; echo; echo end"), heard.on_line());
  EXPECT_TRUE(child.poll(kLong)->well());
  ASSERT_EQ(heard.lines.size(), 5u);
  size_t bytes = 0;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_LE(heard.lines[i].size(), LinePipe::kMaxLine);
    EXPECT_EQ(heard.lines[i], std::string(heard.lines[i].size(), 'x'));
    bytes += heard.lines[i].size();
  }
  EXPECT_EQ(bytes, 200'000u);
  EXPECT_EQ(heard.lines[4], "end");
}

TEST(Child, ALineOfExactlyTheLimitIsOneLine) {
  Heard heard;
  Child child(shell("head -c 65536 /dev/zero | tr '\\0' x; echo; echo; echo end"), heard.on_line());
  EXPECT_TRUE(child.poll(kLong)->well());
  EXPECT_EQ(heard.lines, (std::vector<std::string>{std::string(65536, 'x'), "", "end"}));
}

TEST(Child, ItReadsNothingAndHasOurEnvironmentWithWhatIsAdded) {
  Heard heard;
  setenv("FERRY_TEST_KEPT", "kept", 1);
  setenv("FERRY_TEST_CHANGED", "old", 1);
  Child child({.words = {"sh", "-c", "cat; echo $FERRY_TEST_KEPT $FERRY_TEST_CHANGED"},
               .environment = {"FERRY_TEST_CHANGED=new"}},
              heard.on_line());
  EXPECT_TRUE(child.poll(kLong)->well());
  EXPECT_EQ(heard.lines, std::vector<std::string>{"kept new"});
}

TEST(Child, TerminateIsSoonEnoughForOneThatListens) {
  Heard heard;
  Child child(shell("exec sleep infinity"), heard.on_line());
  EXPECT_EQ(child.terminate(kLong), (ProcessExit{.status = 0, .signal = SIGTERM}));
}

TEST(Child, TerminateKillsOneThatDoesNotListen) {
  Heard heard;
  Child child(shell("trap '' TERM; echo deaf; while :; do sleep 60; done"), heard.on_line());
  while (heard.lines.empty()) child.poll(ms(10));
  EXPECT_EQ(child.terminate(ms(1)), (ProcessExit{.status = 0, .signal = SIGKILL}));
}

TEST(Child, TheDestructorLeavesNothingOfItsProcessGroup) {
  Heard heard;
  pid_t grandchild = 0;
  {
    Child child(shell("sleep infinity & echo $!; wait"), heard.on_line());
    while (heard.lines.empty()) child.poll(ms(10));
    grandchild = std::stoi(heard.lines[0]);
    EXPECT_FALSE(is_gone(grandchild));
  }
  EXPECT_TRUE(goes_away(grandchild));
}

TEST(Child, AGrandchildThatKeepsThePipesOpenIsEndedWithIt) {
  Heard heard;
  Child child(shell("sleep infinity & echo $!"), heard.on_line());
  EXPECT_TRUE(child.poll(kLong)->well());
  EXPECT_TRUE(goes_away(std::stoi(heard.lines.at(0))));
}

TEST(Child, WhenWeAreKilledItEnds) {
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  const pid_t us = fork();  // stands for a command that is killed outright
  if (us == 0) {
    Child child(shell("exec sleep infinity"), [](std::string_view) {});
    const pid_t pid = child.pid();
    if (write(pipe_ends[1], &pid, sizeof pid) != sizeof pid) _exit(1);
    for (;;) pause();
  }
  pid_t child = 0;
  ASSERT_EQ(read(pipe_ends[0], &child, sizeof child), static_cast<ssize_t>(sizeof child));
  EXPECT_FALSE(is_gone(child));
  kill(us, SIGKILL);
  waitpid(us, nullptr, 0);
  EXPECT_TRUE(goes_away(child));
  close(pipe_ends[0]);
  close(pipe_ends[1]);
}

}  // namespace
}  // namespace ferry
