// How an MPI job ends, seen from outside.

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <string>

namespace ferry {
namespace {

struct Outcome {
  int exit_code = 0;
  std::string output;
};

Outcome run(const std::string& command) {
  Outcome outcome;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (const size_t n = fread(buffer.data(), 1, buffer.size(), pipe)) outcome.output.append(buffer.data(), n);
  outcome.exit_code = WEXITSTATUS(pclose(pipe));
  return outcome;
}

constexpr int kEndedByTimeout = 124;  // of the command `timeout`

class MpiJob : public testing::TestWithParam<int> {
 protected:
  static Outcome run_ranks(int n_ranks, const std::string& how) {
    return run("timeout 60 " FERRY_MPIRUN " -n " + std::to_string(n_ranks) + " " FERRY_BINARY_DIR "/rank_that_fails " +
               how);
  }
};

TEST_P(MpiJob, EndsWhenARankIsKilledThoughTheOthersWaitForWork) {
  const Outcome outcome = run_ranks(GetParam(), "killed");
  EXPECT_NE(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.exit_code, kEndedByTimeout) << outcome.output;
}

TEST_P(MpiJob, EndsWhenARankThrowsAndItsReasonIsPrinted) {
  const Outcome outcome = run_ranks(GetParam(), "throws");
  EXPECT_NE(outcome.exit_code, 0) << outcome.output;
  EXPECT_NE(outcome.exit_code, kEndedByTimeout) << outcome.output;
  EXPECT_NE(outcome.output.find("ferry: the model file is damaged"), std::string::npos) << outcome.output;
}

INSTANTIATE_TEST_SUITE_P(Ranks, MpiJob, testing::Values(1, 2, 3));

}  // namespace
}  // namespace ferry
