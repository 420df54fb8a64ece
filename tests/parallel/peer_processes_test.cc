#include "parallel/peer_processes.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "core/base/error.h"
#include "parallel/shared_bytes.h"
#include "parallel/threads.h"

namespace ferry {
namespace {

pid_t sleeping_child() {
  const pid_t child = fork();
  if (child == 0) {
    while (true) pause();
  }
  return child;
}

TEST(PeerProcesses, OnlyAProcessThatHasEndedIsNamed) {
  const pid_t first = sleeping_child(), second = sleeping_child();
  const PeerProcesses peers({{.rank = 1, .process = first}, {.rank = 3, .process = second}});
  peers.check_alive();
  kill(second, SIGKILL);
  waitpid(second, nullptr, 0);
  try {
    peers.check_alive();
    ADD_FAILURE() << "nobody noticed";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), str("rank 3 of the group has ended (process ", second, ")"));
  }
  kill(first, SIGKILL);
  waitpid(first, nullptr, 0);
}

TEST(PeerProcesses, AStoppedOneHasNotEnded) {
  const pid_t child = sleeping_child();
  const PeerProcesses peers({{.rank = 1, .process = child}});
  kill(child, SIGSTOP);
  waitpid(child, nullptr, WUNTRACED);
  EXPECT_NO_THROW(peers.check_alive());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST(SharedBytes, EveryRankHearsAllAndOfTheFirstThatLacksSomething) {
  ThreadGroup group(3);
  group.run([](Communicator& rank) {
    EXPECT_EQ(shared_bytes(rank, str("from ", rank.rank())), (std::vector<std::string>{"from 0", "from 1", "from 2"}));
    EXPECT_EQ(shared_reason(rank, ""), "");
    EXPECT_EQ(shared_reason(rank, rank.rank() == 0 ? "" : "no card"), "rank 1: no card");
  });
}

}  // namespace
}  // namespace ferry
