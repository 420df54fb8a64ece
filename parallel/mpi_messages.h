#pragma once
// What the collectives are made of: messages between two ranks of a group that say which collective they belong to,
// and waits that end. Ranks that diverge, die or hang become an Error that names them.
//
// A collective: begin, then any number of send and expect, then await_expected, receive what came, finish.

#include <mpi.h>

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/seam/clock.h"
#include "parallel/collective.h"

namespace ferry {

class MpiMessages {
 public:
  // Takes `comm` over.
  MpiMessages(MPI_Comm comm, Duration timeout);
  ~MpiMessages();
  MpiMessages(const MpiMessages&) = delete;
  MpiMessages& operator=(const MpiMessages&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }

  // All ranks begin the same collectives in the same order. Throws, if an earlier one failed.
  void begin(Collective collective);

  // `bytes` must stay as they are until finish().
  void send(int peer, std::span<const std::byte> bytes);

  // One message of `peer`, in this collective.
  void expect(int peer);
  void await_expected();
  void await_expected(const std::function<void()>& idle);  // no timeout; calls `idle` again and again

  // Of a message that was awaited: its size, and its bytes, which are there after finish().
  size_t size_of_message(int peer) const;
  void receive(int peer, std::span<std::byte> bytes);

  void finish();

  // Nothing works after this: the group cannot agree on anything any more.
  [[noreturn]] void fail(const std::string& why);

 private:
  // Short messages travel in one piece with their header; long ones follow it, from and to where their bytes are.
  static constexpr size_t kShortBytes = 64 << 10;
  struct Header {
    Collective collective = Collective::kAllReduceSum;
    uint32_t sequence = 0;
    uint64_t n_bytes = 0;
  };
  struct Envelope {
    Header header;
    std::byte payload[kShortBytes];
  };
  struct Requests {
    std::vector<MPI_Request> handles;
    std::vector<int> peers;  // [handles.size()]

    void clear() {
      handles.clear();
      peers.clear();
    }
  };

  void start(Requests& requests, int peer, std::span<const std::byte> bytes);
  bool all_done(Requests& requests);
  void wait(Requests& requests);
  void compare_headers();
  void abandon(Requests& requests);

  const MPI_Comm comm_;
  const Duration timeout_;
  int rank_ = 0;
  int size_ = 1;
  Collective collective_ = Collective::kAllReduceSum;
  uint32_t sequence_ = 0;
  std::vector<Envelope> outbox_;  // [size], by receiver
  std::vector<Envelope> inbox_;   // [size], by sender
  Requests expected_;
  Requests moving_;
  std::string failed_;
};

}  // namespace ferry
