#pragma once
// What is under way between all simulated links, and what becomes of it.
//
// Between hosts, a closed channel keeps everybody out at once, and what is under way from a dead process may still
// land. With shared memory it is the other way round: who has mapped the memory writes it until he has ended, also
// after standing still for a while; what a dead process had not written stays unwritten.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/seam/kv_link.h"
#include "tests/sim/process.h"
#include "tests/sim/weather.h"

namespace ferry::sim {

class SimLink;

// Of one link to a channel of another, one way.
struct Connection {
  SimLink* from = nullptr;
  ChannelId through = 0;  // of `from`
  PeerId peer = 0;        // as `from` knows it
  SimLink* to = nullptr;
  ChannelId into = 0;   // of `to`
  bool broken = false;  // told or not worth telling
  bool closed = false;  // by `from`

  struct Put {
    std::vector<Piece> pieces;
    std::vector<std::byte> taken;  // the bytes, when they have left the sender's memory for good
  };
  struct Flush {
    uint64_t tag = 0;
    int before = 0;  // waits for the puts with lower numbers
  };
  std::map<int, Put> puts;  // under way, by number
  int n_puts = 0;
  std::vector<Flush> flushes;

  bool reads_memory() const;  // something under way has not left the sender's memory
  bool over() const;          // nothing can land through it any more
};

class Fabric {
 public:
  // All outlive the fabric.
  Fabric(const Schedule& schedule, Timeline& timeline, Weather& weather, Random& random);
  ~Fabric();

  SimLink& make_link(Process& process, size_t kv_bytes, size_t probe_bytes);

  // What happened to processes and paths, so that links notice, at once or after a while.
  void ended(const Process& process);
  void paused(const Process& process);
  void parted(Host a, Host b);

  // What links ask for.
  SimLink& link(int serial) { return *links_.at(serial); }
  Connection& connect(SimLink& from, ChannelId through, SimLink& to, ChannelId into);
  void put(Connection& c, std::vector<Piece> pieces);
  void flush(Connection& c, uint64_t tag);
  void send(Connection& c, std::string bytes);
  void closed(SimLink& link, ChannelId channel);

  bool shared_memory() const { return schedule_.shared_memory; }

 private:
  void arrive(Connection& c, int number);
  void land(Connection& c, Connection::Put& put);
  void remove(Connection& c, int number);
  void answer_flushes(Connection& c);
  void deliver(Connection& c, const std::string& bytes);
  void let_go(Connection& c);
  void settle(SimLink& link, ChannelId channel);
  void suspect(Connection& c);
  void break_off(Connection& c, const char* why);
  bool reachable(const Connection& c) const;
  bool cut(const Connection& c) const;
  Instant heals(const Connection& c) const;

  const Schedule& schedule_;
  Timeline& timeline_;
  Weather& weather_;
  Random& random_;
  std::vector<std::unique_ptr<SimLink>> links_;  // by serial
  std::vector<std::unique_ptr<Connection>> connections_;
};

}  // namespace ferry::sim
