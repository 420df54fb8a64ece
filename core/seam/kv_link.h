#pragma once
// One-sided bytes between the ranks of different groups, and small messages beside them. One KvLink a rank; it
// allocates the rank's KV memory, so that peers can write into it at full speed, or is told which memory of a device
// that is.
//
// A link has channels, one for each group that it exchanges KV with. Who has the address of a channel can write to this
// rank's memory through it, until it is closed: closing a channel fences one group off and disturbs nobody else.
//
// Everything is asynchronous: calls post work, poll() drives it and tells what happened. Nothing here blocks or throws
// for what a peer does; a broken peer is an event. Only the engine thread touches a link.
//
// Implementations: in-process memory (tests), simulated network (simulation), UCX; around any of them, staged: for
// memory of a device that the link below does not reach.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace ferry {

using ChannelId = int;  // never used again after close
using PeerId = int;     // of a rank connected through some channel; never used again after that is closed

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
struct Received {  // a message that came in through a channel; which rank sent it stands in the message
  ChannelId channel = 0;
  std::string bytes;
};
struct Broken {  // nothing that was posted to this peer will complete any more; close its channel
  PeerId peer = 0;
  std::string why;
};
struct Closed {  // nothing that was posted through this channel reads my memory any more
  ChannelId channel = 0;
};
// Nothing that anybody puts through this channel lands any more: follows Closed, at once or when every peer that could
// still reach the memory has ended. A process of this host that maps it cannot be shut out while it lives.
struct Fenced {
  ChannelId channel = 0;
};
using LinkEvent = std::variant<Flushed, Received, Broken, Closed, Fenced>;

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

  // This rank's KV memory, page-aligned, registered; lives as long as the link. Where the link has allocated it,
  // zeroed. Memory of a device is not read and written by address: what puts read has been computed, what they write is
  // there when they are flushed.
  virtual std::span<std::byte> memory() = 0;

  virtual ChannelId open() = 0;
  // What a peer needs to connect, opaque and printable only as a count of bytes.
  virtual std::string address(ChannelId channel) const = 0;
  // Starts to connect to a peer's channel; use the id at once (what is posted waits for the wire-up). Both sides
  // connect when both write, or when one has to notice the other's end. Error when the address is no address.
  virtual PeerId connect(ChannelId channel, const std::string& address) = 0;
  // With all its peers. No event of them follows, only Closed and then Fenced; what was not flushed may have landed.
  virtual void close(ChannelId channel) = 0;

  virtual uint64_t memory_bytes(PeerId peer) const = 0;  // of the peer's memory, as its address says

  virtual void put(PeerId peer, std::span<const Piece> pieces) = 0;
  virtual void flush(PeerId peer, uint64_t tag) = 0;  // answered by Flushed{peer, tag}, or Broken{peer}
  // Not ordered with puts: flush first. Never larger than kMaxMessage. A message that arrives is whole.
  virtual void send(PeerId peer, std::string_view message) = 0;

  virtual std::optional<LinkEvent> poll() = 0;  // drives the network; the next event, if there is one

  // What carries puts to this peer, as the library says it, not as it was asked for: "shm", "tcp", "rdma", "memory";
  // with "+staged" behind it when a device's memory is reached by way of the process's, "cuda" from card to card.
  virtual std::string transport(PeerId peer) const = 0;

  virtual LinkCounters counters() const = 0;

  static constexpr size_t kMaxMessage = 5 << 20;
};

}  // namespace ferry
