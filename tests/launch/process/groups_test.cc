#include "launch/process/groups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace ferry {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

constexpr Duration kLong = std::chrono::seconds(60);

GroupConfig group(const std::string& name, int tp) {
  return {.name = name, .role = GroupConfig::Role::mixed, .tp = tp};
}

std::vector<std::string> shell(const std::string& script) { return {"/bin/sh", "-c", script}; }

bool is_gone(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string number, name, state;
  return !(stat >> number >> name >> state) || state == "Z";
}

template <class Condition>
bool comes_true(Condition condition) {
  const Instant until = std::chrono::steady_clock::now() + kLong;
  while (std::chrono::steady_clock::now() < until) {
    if (condition()) return true;
    usleep(1000);
  }
  return false;
}

class Groups : public testing::Test {
 protected:
  explicit Groups(Duration patience = kLong)
      : processes_([this](std::string_view line) { lines_.emplace_back(line); }, patience) {}
  GroupExit wait_for_exit() {
    std::optional<GroupExit> exit;
    comes_true([&] { return (exit = processes_.poll()).has_value(); });
    return exit.value_or(GroupExit{.group = "none", .exit = {}, .last_lines = {}});
  }
  // The ranks of a group that each print their process id; mpirun's own words are passed over.
  std::vector<pid_t> pids(const std::string& name, size_t n) {
    std::vector<pid_t> pids;
    comes_true([&] {
      processes_.poll();
      pids.clear();
      for (const std::string& line : lines_) {
        int pid = 0;
        if (std::sscanf(line.c_str(), ("[" + name + "] %d").c_str(), &pid) == 1) pids.push_back(pid);
      }
      return pids.size() == n;
    });
    return pids;
  }

  std::vector<std::string> lines_;
  GroupProcesses processes_;
};

TEST_F(Groups, MpirunGetsWhatAGroupNeeds) {
  const ProcessCommand command =
      mpirun_command(group("a", 3), {"ferry", "worker"}, {"/tmp/own", "/dev/shm/own"}, false);
  EXPECT_THAT(command.environment, testing::ElementsAre("TMPDIR=/tmp/own"));
  const std::vector<std::string>& local = command.words;
  EXPECT_EQ(local, (std::vector<std::string>{"mpirun",
                                             "-n",
                                             "3",
                                             "--oversubscribe",
                                             "--mca",
                                             "mpi_yield_when_idle",
                                             "1",
                                             "--bind-to",
                                             "none",
                                             "--mca",
                                             "odls_base_sigkill_timeout",
                                             "0",
                                             "--mca",
                                             "btl_vader_backing_directory",
                                             "/dev/shm/own",
                                             "--mca",
                                             "btl_sm_backing_directory",
                                             "/dev/shm/own",
                                             "ferry",
                                             "worker"}));
  GroupConfig far = group("b", 4);
  far.hosts = {"node1:2", "node2:2"};
  EXPECT_THAT(mpirun_command(far, {"ferry"}, {"/tmp/own", ""}, true).words,
              AllOf(Contains("-H"), Contains("node1:2,node2:2"), Contains("oob_tcp_keepalive_time"),
                    Contains("--allow-run-as-root"), Not(Contains("btl_vader_backing_directory"))));
  EXPECT_THAT(local, Not(Contains("--allow-run-as-root")));
}

TEST_F(Groups, EveryRankRunsAndItsLinesCarryTheGroupsName) {
  processes_.start(group("prefill-0", 2), shell("echo rank $OMPI_COMM_WORLD_RANK"));
  const GroupExit exit = wait_for_exit();
  EXPECT_EQ(exit.group, "prefill-0");
  EXPECT_TRUE(exit.exit.well()) << exit.text();
  EXPECT_THAT(lines_, testing::UnorderedElementsAre("[prefill-0] rank 0", "[prefill-0] rank 1"));
  EXPECT_EQ(processes_.n_running(), 0);
}

TEST_F(Groups, AGroupThatFailsIsReportedWithWhatItSaidLast) {
  processes_.start(group("decode-0", 1), shell("echo model is damaged >&2; exit 7"));
  const GroupExit exit = wait_for_exit();
  EXPECT_EQ(exit.exit.status, 7);
  EXPECT_THAT(exit.text(), AllOf(HasSubstr("group decode-0 ended: exit status 7"), HasSubstr("model is damaged")));
}

TEST_F(Groups, OneGroupsEndDoesNotTouchTheOthersAndItCanStartAgain) {
  processes_.start(group("a", 1), shell("exit 1"));
  processes_.start(group("b", 1), shell("echo $$; exec sleep infinity"));
  EXPECT_EQ(wait_for_exit().group, "a");
  EXPECT_EQ(processes_.n_running(), 1);
  processes_.start(group("a", 1), shell("exit 2"));
  EXPECT_EQ(wait_for_exit().exit.status, 2);
  const std::vector<pid_t> b = pids("b", 1);
  ASSERT_EQ(b.size(), 1u);
  EXPECT_FALSE(is_gone(b[0]));
}

TEST_F(Groups, StopEndsAllRanksOfAllGroups) {
  processes_.start(group("a", 2), shell("echo $$; exec sleep infinity"));
  processes_.start(group("b", 1), shell("echo $$; exec sleep infinity"));
  std::vector<pid_t> ranks = pids("a", 2);
  for (const pid_t rank : pids("b", 1)) ranks.push_back(rank);
  ASSERT_EQ(ranks.size(), 3u);
  processes_.stop(kLong);
  for (auto& l : lines_) std::cerr << l << "\n";
  for (const pid_t rank : ranks) EXPECT_TRUE(comes_true([&] { return is_gone(rank); })) << rank;
  EXPECT_EQ(processes_.n_running(), 0);
}

TEST(GroupsAlone, WhenTheCommandIsKilledOutrightItsRanksEnd) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t command = fork();
  if (command == 0) {
    GroupProcesses processes([&](std::string_view line) {
      const pid_t rank = std::stoi(std::string(line.substr(line.find("] ") + 2)));
      if (write(ends[1], &rank, sizeof rank) != sizeof rank) _exit(1);
    });
    processes.start(group("a", 2), shell("echo $$; exec sleep infinity"));
    for (;;) {
      processes.poll();
      usleep(1000);
    }
  }
  std::vector<pid_t> ranks(2);
  for (pid_t& rank : ranks) ASSERT_EQ(read(ends[0], &rank, sizeof rank), static_cast<ssize_t>(sizeof rank));
  kill(command, SIGKILL);
  waitpid(command, nullptr, 0);
  for (const pid_t rank : ranks) EXPECT_TRUE(comes_true([&] { return is_gone(rank); })) << rank;
  close(ends[0]);
  close(ends[1]);
}

class ImpatientGroups : public Groups {
 protected:
  ImpatientGroups() : Groups(std::chrono::milliseconds(200)) {}
};

TEST_F(ImpatientGroups, AnMpirunThatStaysWithoutItsRanksIsKilled) {
  processes_.start(group("stuck", 2), shell("echo $$ $PPID; exec sleep 1000"));
  const std::vector<pid_t> ranks = pids("stuck", 2);
  ASSERT_EQ(ranks.size(), 2u);
  int rank = 0, mpirun = 0;
  ASSERT_EQ(std::sscanf(lines_.back().c_str(), "[stuck] %d %d", &rank, &mpirun), 2);
  kill(mpirun, SIGSTOP);
  kill(rank, SIGKILL);
  const GroupExit exit = wait_for_exit();
  EXPECT_EQ(exit.exit.signal, SIGKILL);
  EXPECT_THAT(exit.last_lines, Contains(HasSubstr("a rank has ended and mpirun has not")));
  kill(ranks[0] == rank ? ranks[1] : ranks[0], SIGKILL);  // it does not die with mpirun by itself, as a worker does
}

TEST_F(ImpatientGroups, AnMpirunWithAllItsRanksIsLeftAlone) {
  processes_.start(group("busy", 2), shell("echo $$; sleep 1"));
  EXPECT_TRUE(wait_for_exit().exit.well());
}

}  // namespace
}  // namespace ferry
