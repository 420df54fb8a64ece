#pragma once
// The other ranks of a group whose processes are on this host: whether they still run. A rank that waits for its card
// would otherwise learn of the end of another only when mpirun has.

#include <sys/types.h>

#include <vector>

#include "core/seam/clock.h"
#include "core/seam/communicator.h"

namespace ferry {

struct RankProcess {
  int rank = 0;
  pid_t process = 0;
};

class PeerProcesses {
 public:
  explicit PeerProcesses(Communicator& group);  // collective
  explicit PeerProcesses(const std::vector<RankProcess>& peers);
  ~PeerProcesses();
  PeerProcesses(const PeerProcesses&) = delete;
  PeerProcesses& operator=(const PeerProcesses&) = delete;

  void check_alive() const;  // Error that names who has ended; asks the kernel

 private:
  struct Peer {
    RankProcess who;
    int descriptor = -1;  // becomes readable when the process ends
  };

  std::vector<Peer> peers_;
};

}  // namespace ferry
