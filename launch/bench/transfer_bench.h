#pragma once
// A KvLink to another process, timed: how fast pieces of its memory get into the other's.

#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/seam/kv_link.h"
#include "launch/bench/transfer_case.h"
#include "launch/process/child.h"

namespace ferry {

// Benchmarks of one place warm the caches up with a piece for so many that they measure.
constexpr int kPiecesToOneBefore = 10;

class TransferBench {
 public:
  // Starts `peer_command`, to which "--address HEX" is added: a process that does serve_transfer_bench() with the same
  // kind of link and as much memory. Error when it cannot.
  TransferBench(std::unique_ptr<KvLink> link, std::vector<std::string> peer_command);

  std::string carrier() const { return link_->transport(peer_); }  // what really carries the puts
  size_t memory_bytes() const { return link_->memory().size(); }

  double put_seconds(const TransferCase& what);   // until all of it is in the other memory
  double copy_seconds(const TransferCase& what);  // the same pieces with memcpy, within this process
  // One piece into the same place over and over again, as ucx_perftest does it; in lists, as handoffs have them.
  double repeated_put_seconds(size_t piece_bytes, int n);
  double latency_us(size_t piece_bytes);  // of one piece until it is in the other memory; the median of many

  // As long as it lives, the other process stands still, which otherwise polls all the time: for what is measured
  // beside.
  class Rest {
   public:
    explicit Rest(const TransferBench& bench) : pid_(bench.child_->pid()) { ::kill(pid_, SIGSTOP); }
    ~Rest() { ::kill(pid_, SIGCONT); }
    Rest(const Rest&) = delete;
    Rest& operator=(const Rest&) = delete;

   private:
    pid_t pid_;
  };

  // Whether the other memory is what the copies made of ours. Both are cleared for what comes next.
  bool arrived();

 private:
  void connect();
  void repeat(std::span<const Piece> pieces, int n);
  void flush();
  void await(const std::function<bool()>& done);

  std::unique_ptr<KvLink> link_;
  const ChannelId channel_;
  // What the other memory has to be. From a page on, as that is: memcpy is slow where the ends are aligned differently.
  std::unique_ptr<std::byte, decltype(&std::free)> copy_memory_;
  std::span<std::byte> copy_;
  std::unique_ptr<Child> child_;
  std::string first_line_;  // of the child
  PeerId peer_ = 0;
  uint64_t n_flushed_ = 0;
  std::optional<std::string> answer_;
};

}  // namespace ferry
