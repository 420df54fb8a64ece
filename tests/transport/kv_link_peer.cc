// The far end for kv_link_processes_test.cc: a process with a UcxLink that can be stopped and killed.
//
// Speaks frames (a 32-bit count, then bytes) on its standard input and output: says its address, is told the address to
// connect to, then does as it is told, and answers: "memory" with its memory; "storm HALF" by writing into that half of
// the other memory, all over and over again, as long as it can; "close" by closing its channel, when that is fenced.
// Sends every message that arrives over the link back over it. Ends with its input.

#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <cstdio>
#include <memory>
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

class FarEnd {
 public:
  explicit FarEnd(const UcxOptions& options) : link_(make_ucx_link(options)), channel_(link_->open()) {}

  void serve() {
    write_frame(1, link_->address(channel_));
    const auto address = read_frame(0);
    if (!address) return;
    parent_ = link_->connect(channel_, *address);
    for (;;) {
      const auto event = link_->poll();
      if (event) handle(*event);
      if (!event) sched_yield();
      if (event || !has_input()) continue;
      const auto order = read_frame(0);
      if (!order) return;
      obey(*order);
    }
  }

 private:
  void handle(const LinkEvent& event) {
    if (const auto* received = std::get_if<Received>(&event)) link_->send(parent_, received->bytes);
    if (std::holds_alternative<Flushed>(event)) write_again();
    if (std::holds_alternative<Fenced>(event)) write_frame(1, "fenced");
  }

  void obey(const std::string& order) {
    if (order == "memory") {
      write_frame(1, {reinterpret_cast<const char*>(link_->memory().data()), link_->memory().size()});
    } else if (order == "close") {
      link_->close(channel_);
    } else {
      half_ = static_cast<uint64_t>(order.back() - '0');
      write_again();
      write_frame(1, "storming");
    }
  }

  // In pieces small enough that to be stopped in the middle of it is likely.
  void write_again() {
    constexpr uint64_t kPiece = 4096;
    const auto memory = link_->memory();
    const uint64_t bytes = memory.size() / 2;
    ++round_;
    std::fill(memory.begin(), memory.end(), static_cast<std::byte>(round_));
    for (uint64_t at = 0; at < bytes; at += kPiece) {
      const Piece piece{.from = at, .to = half_ * bytes + at, .bytes = kPiece};
      link_->put(parent_, {&piece, 1});
    }
    link_->flush(parent_, 0);
  }

  std::unique_ptr<KvLink> link_;
  ChannelId channel_;
  PeerId parent_ = 0;
  uint64_t half_ = 0;
  unsigned round_ = 0;
};

}  // namespace
}  // namespace ferry

int main(int, char** argv) try {
  // argv: number of the transport, bytes of memory
  ferry::FarEnd(
      {.transport = static_cast<ferry::UcxOptions::Transport>(std::stoi(argv[1])), .memory_bytes = std::stoul(argv[2])})
      .serve();
  return 0;
} catch (const ferry::Error& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
