#pragma once
// One-sided bytes between the ranks of different groups, and small messages beside them. One KvLink a rank; it
// allocates the rank's KV memory, so that peers can write into it at full speed.
//
// Everything is asynchronous: calls post work, poll() drives it and tells what happened. Nothing here blocks or throws
// for what a peer does; a broken peer is an event. Only the engine thread touches a link.
//
// Implementations: in-process memory (tests, simulation), UCX.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace ferry {

using PeerId = int;  // of a connected peer; never used again after disconnect

// Bytes [from, from + bytes) of my memory go to [to, to + bytes) of the peer's.
struct Piece {
  uint64_t from = 0;
  uint64_t to = 0;
  uint64_t bytes = 0;
  bool operator==(const Piece&) const = default;
};

struct Flushed {  // everything put to `peer` before flush(peer, tag) is in its memory
  PeerId peer = 0;
  uint64_t tag = 0;
};
struct Received {  // a message that some peer sent to this rank; who it is stands in the message
  std::string bytes;
};
struct Broken {  // nothing that was posted to this peer will complete any more; disconnect it
  PeerId peer = 0;
  std::string why;
};
using LinkEvent = std::variant<Flushed, Received, Broken>;

struct LinkCounters {  // since the link was made
  uint64_t bytes_put = 0;
  uint64_t pieces_put = 0;  // after adjacent ones were joined
  uint64_t messages_sent = 0;
  uint64_t messages_received = 0;
  uint64_t messages_refused = 0;  // larger than kMaxMessage, or not of Ferry: dropped
};

class KvLink {
 public:
  virtual ~KvLink() = default;

  // This rank's KV memory, page-aligned, zeroed, registered; lives as long as the link.
  virtual std::span<std::byte> memory() = 0;

  // What a peer needs to connect, opaque and printable only as a count of bytes.
  virtual std::string address() const = 0;

  // Starts to connect; use the id at once (what is posted waits for the wire-up). Error when the address is no address.
  virtual PeerId connect(const std::string& address) = 0;
  virtual void disconnect(PeerId peer) = 0;  // no event follows; what was not flushed may still land, or not

  virtual void put(PeerId peer, std::span<const Piece> pieces) = 0;
  virtual void flush(PeerId peer, uint64_t tag) = 0;  // answered by Flushed{peer, tag}, or Broken{peer}
  // Not ordered with puts: flush first. Never larger than kMaxMessage. A message that arrives is whole.
  virtual void send(PeerId peer, std::string_view message) = 0;

  virtual std::optional<LinkEvent> poll() = 0;  // drives the network; the next event, if there is one

  // What carries puts to this peer, as the library says it, not as it was asked for: "shm", "tcp", "rdma", "memory".
  virtual std::string transport(PeerId peer) const = 0;

  virtual LinkCounters counters() const = 0;

  static constexpr size_t kMaxMessage = 1 << 20;
};

}  // namespace ferry
