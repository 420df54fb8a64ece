#include "launch/process/card_lock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <memory>

#include "core/base/error.h"

namespace ferry {
namespace {

std::string card_of_this_test(const char* name) { return "GPU-" + std::to_string(getpid()) + "-" + name; }

std::string failure_of(const std::string& card) {
  try {
    const CardLock lock(card);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(CardLock, IsOnesOwnUntilItEnds) {
  const std::string card = card_of_this_test("a");
  auto lock = std::make_unique<CardLock>(card);
  EXPECT_THAT(failure_of(card), testing::HasSubstr("process " + std::to_string(getpid()) + " of this host"));
  EXPECT_EQ(failure_of(card_of_this_test("b")), "") << "another card";
  lock.reset();
  EXPECT_EQ(failure_of(card), "");
}

TEST(CardLock, EndsWithAProcessThatIsKilled) {
  const std::string card = card_of_this_test("killed");
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const CardLock lock(card);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    while (true) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_THAT(failure_of(card), testing::HasSubstr("process " + std::to_string(child) + " of this host"));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(failure_of(card), "");
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
}  // namespace ferry
