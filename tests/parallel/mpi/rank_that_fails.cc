// A job whose last rank comes to a bad end while the others wait for work: `rank_that_fails killed|throws`. Whether
// and how the job ends is looked at from outside, by tests/parallel/job_test.cc.

#include <csignal>
#include <cstdio>
#include <string_view>

#include "core/base/error.h"
#include "parallel/mpi.h"

// Open MPI takes two locks of its shared memory in one order when it sends and in the other when it progresses. Both
// are its own, and one thread does both.
extern "C" const char* __tsan_default_suppressions() { return "deadlock:mca_btl_vader.so"; }

namespace {

void be_a_rank(std::string_view how) {
  ferry::MpiSession session;
  const auto group = session.split(0);
  group->gather_bytes("here");  // all are past the start
  if (session.rank() == session.size() - 1) {
    if (how == "killed") std::raise(SIGKILL);
    if (how == "throws") throw ferry::Error("the model file is damaged");
  }
  std::string step;
  while (true) group->broadcast(step, [] {});
}

}  // namespace

int main(int, char** argv) {
  try {
    be_a_rank(argv[1]);
  } catch (const ferry::Error& error) {
    std::fprintf(stderr, "ferry: %s\n", error.what());
    return 1;
  }
}
