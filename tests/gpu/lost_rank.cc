// How long a group outlives one of its ranks. Started by hand it starts two ranks with mpirun, on the cards there are;
// one kills itself while both add up on their cards, and the job has to end within two seconds.

#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>

#include "core/base/error.h"
#include "kernels/cuda/cuda_ops.h"
#include "parallel/cuda/card_group.h"
#include "parallel/mpi.h"

namespace ferry {
namespace {

constexpr int kSkipped = 77;
constexpr double kMostSeconds = 2;

void be_a_rank() {
  MpiSession session;
  const auto host = session.split(0);
  const auto ops = make_cuda_ops({.card = session.local_rank() % n_cuda_cards()});
  const bool shared = session.local_ranks() > n_cuda_cards();
  const CardGroup group = make_card_group(
      *host, ops->device(), {.by = shared ? AllReduceBy::ipc : AllReduceBy::automatic, .cards_are_shared = shared});
  const DeviceArray<float> values(ops->device(), std::vector<float>(4096));
  float value = 0;
  for (int sum = 0;; ++sum) {
    if (session.rank() == 1 && sum == 50) {
      std::printf("rank 1 ends\n");
      std::fflush(stdout);
      std::raise(SIGKILL);
    }
    group.communicator->all_reduce_sum({values.data(), values.size()});
    ops->device().download(&value, values.data(), sizeof value);
  }
}

int watch(const std::string& program) {
  const std::string as_root = geteuid() == 0 ? "--allow-run-as-root " : "";
  FILE* job = popen(("mpirun " + as_root + "--oversubscribe --bind-to none --mca odls_base_sigkill_timeout 0 -n 2 " +
                     program + " 2>&1")
                        .c_str(),
                    "r");
  std::array<char, 1024> line;
  std::chrono::steady_clock::time_point lost{};
  while (fgets(line.data(), line.size(), job) != nullptr) {
    std::fputs(line.data(), stdout);
    if (std::string(line.data()).find("rank 1 ends") != std::string::npos) lost = std::chrono::steady_clock::now();
  }
  const int code = pclose(job);
  if (lost == std::chrono::steady_clock::time_point{} || code == 0) {
    std::printf("FAILED: the job did not come to where a rank ends\n");
    return 1;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - lost).count();
  std::printf("the group ended %.2f s after its rank\n", seconds);
  return seconds < kMostSeconds ? 0 : 1;
}

}  // namespace
}  // namespace ferry

int main(int, char** argv) {
  try {
    if (ferry::launched_by_mpirun()) {
      ferry::be_a_rank();
    } else if (const std::string why = ferry::why_no_cuda(); !why.empty()) {
      std::printf("skipped: %s\n", why.c_str());
      return ferry::kSkipped;
    } else {
      return ferry::watch(argv[0]);
    }
  } catch (const ferry::Error& error) {
    std::fprintf(stderr, "lost_rank: %s\n", error.what());
    return 1;
  }
}
