// The far end for kv_link_processes_test.cc: a process with a UcxLink that can be stopped and killed.
//
// Speaks frames (a 32-bit count, then bytes) on its standard input and output: says its address, is told the address to
// connect to, then answers every "memory" with its memory. Sends every message that arrives over the link back over it.
// Ends with its input.

#include <poll.h>
#include <sched.h>

#include <cstdio>
#include <cstring>
#include <string>

#include "core/base/error.h"
#include "tests/transport/frames.h"
#include "transport/ucx/ucx_link.h"

namespace ferry {
namespace {

bool has_input() {
  pollfd input{.fd = 0, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) != 0;
}

int serve(const UcxOptions& options) {
  const auto link = make_ucx_link(options);
  write_frame(1, link->address());
  const auto address = read_frame(0);
  if (!address) return 0;
  const PeerId parent = link->connect(*address);
  for (;;) {
    const auto event = link->poll();
    if (!event) sched_yield();
    if (event && std::holds_alternative<Broken>(*event)) return 0;
    if (event && std::holds_alternative<Received>(*event)) link->send(parent, std::get<Received>(*event).bytes);
    if (event || !has_input()) continue;
    if (!read_frame(0)) return 0;
    const auto memory = link->memory();
    write_frame(1, {reinterpret_cast<const char*>(memory.data()), memory.size()});
  }
}

}  // namespace
}  // namespace ferry

int main(int, char** argv) try {
  // argv: number of the transport, bytes of memory
  return ferry::serve({.transport = static_cast<ferry::UcxOptions::Transport>(std::stoi(argv[1])),
                       .memory_bytes = std::stoul(argv[2])});
} catch (const ferry::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
