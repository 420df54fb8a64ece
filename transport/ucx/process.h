#pragma once
// Which process a peer is, so that its end is noticed when it is on this host.
//
// UCX looks after peers as well, but not while it introduces two sides to each other: over shared memory a peer that
// dies then is never found out.

#include <cstdint>
#include <string>

namespace ferry {

struct Process {
  std::string host = {};  // the boot and the namespace in which `pid` means something
  int32_t pid = 0;
  uint64_t started = 0;  // when, in ticks since boot: numbers are used again, this is not

  template <class A>
  void fields(A& a) {
    a(host, pid, started);
  }
  bool operator==(const Process&) const = default;
};

Process this_process();
Process process_of(int32_t pid);  // a living one, of this host

// With all its threads, so that it writes nothing any more. False as well where it cannot be seen from here.
bool has_ended(const Process& process);

bool on_this_machine(const Process& process);  // perhaps in another container, where it cannot be seen

}  // namespace ferry
