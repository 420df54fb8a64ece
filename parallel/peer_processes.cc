#include "parallel/peer_processes.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <string>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "parallel/shared_bytes.h"

namespace ferry {

namespace {

// Where a process number means the same process: a boot of a host, and a container's own numbers on it.
struct Home {
  std::string host;
  std::string numbers;
  int64_t process = 0;

  template <class A>
  void fields(A& a) {
    a(host, numbers, process);
  }
};

Home own_home() {
  Home home = {.host = {}, .numbers = {}, .process = getpid()};
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), home.host);
  std::array<char, 64> link{};
  if (readlink("/proc/self/ns/pid", link.data(), link.size() - 1) > 0) home.numbers = link.data();
  return home;
}

std::vector<RankProcess> peers_here(Communicator& group) {
  const Home mine = own_home();
  std::vector<RankProcess> peers;
  const std::vector<std::string> all = shared_bytes(group, pack(mine));
  for (int rank = 0; rank < group.size(); ++rank) {
    const auto home = unpack<Home>(all[static_cast<size_t>(rank)]);
    if (rank == group.rank() || !home || home->host != mine.host || home->numbers != mine.numbers) continue;
    peers.push_back({.rank = rank, .process = static_cast<pid_t>(home->process)});
  }
  return peers;
}

}  // namespace

PeerProcesses::PeerProcesses(Communicator& group) : PeerProcesses(peers_here(group)) {}

// A kernel before Linux 5.3 has no such descriptors: there mpirun alone ends the group.
PeerProcesses::PeerProcesses(const std::vector<RankProcess>& peers) {
  for (const RankProcess& peer : peers) {
    const auto descriptor = static_cast<int>(syscall(SYS_pidfd_open, peer.process, 0));
    if (descriptor >= 0) peers_.push_back({.who = peer, .descriptor = descriptor});
  }
}

PeerProcesses::~PeerProcesses() {
  for (const Peer& peer : peers_) close(peer.descriptor);
}

void PeerProcesses::check_alive() const {
  for (const Peer& peer : peers_) {
    pollfd state = {.fd = peer.descriptor, .events = POLLIN, .revents = 0};
    if (poll(&state, 1, 0) > 0) {
      throw Error(str("rank ", peer.who.rank, " of the group has ended (process ", peer.who.process, ")"));
    }
  }
}

}  // namespace ferry
