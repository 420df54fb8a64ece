#include "tests/sim/sim_link.h"

#include <sys/mman.h>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/base/error.h"

namespace ferry::sim {

namespace {

struct Address {
  int serial = 0;
  ChannelId channel = 0;
  template <class A>
  void fields(A& a) {
    a(serial, channel);
  }
};

Address opened(const std::string& address) {
  const auto there = unpack<Address>(address);
  if (!there) throw Error("no address of a channel");
  return *there;
}

// Zeroed, and only what is touched costs anything.
std::span<std::byte> mapped(size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check(at != MAP_FAILED, "there is memory for a rank's KV");
  return {static_cast<std::byte*>(at), bytes};
}

}  // namespace

SimLink::SimLink(Fabric& fabric, Process& process, int serial, Size size)
    : fabric_(fabric),
      process_(process),
      serial_(serial),
      size_(size),
      memory_(mapped(size.kv_bytes + size.probe_bytes)) {}

SimLink::~SimLink() { munmap(memory_.data(), memory_.size()); }

ChannelId SimLink::open() {
  channels_.emplace_back();
  return static_cast<ChannelId>(channels_.size()) - 1;
}

std::string SimLink::address(ChannelId channel) const { return pack(Address{.serial = serial_, .channel = channel}); }

ChannelId SimLink::channel_at(const std::string& address) { return opened(address).channel; }

PeerId SimLink::connect(ChannelId channel, const std::string& address) {
  check(channels_.at(channel).open, "a peer is connected through an open channel");
  const Address there = opened(address);
  Connection& c = fabric_.connect(*this, channel, fabric_.link(there.serial), there.channel);
  c.peer = static_cast<PeerId>(peers_.size());
  peers_.push_back(&c);
  return c.peer;
}

void SimLink::close(ChannelId channel) {
  check(channels_.at(channel).open, "a channel is closed once");
  channels_[channel].open = false;
  for (Connection* c : channels_[channel].out) c->closed = true;
  const auto stale = [&](const LinkEvent& event) {
    if (const auto* e = std::get_if<Flushed>(&event)) return peers_[e->peer]->closed;
    if (const auto* e = std::get_if<Broken>(&event)) return peers_[e->peer]->closed;
    if (const auto* e = std::get_if<Received>(&event)) return e->channel == channel;
    return false;
  };
  std::erase_if(events_, stale);
  fabric_.closed(*this, channel);
}

uint64_t SimLink::memory_bytes(PeerId peer) const { return open_peer(peer).to->memory_.size(); }

void SimLink::put(PeerId peer, std::span<const Piece> pieces) {
  Connection& c = open_peer(peer);
  for (const Piece& piece : pieces) {
    check(piece.from + piece.bytes <= memory_.size(), "a put reads this rank's memory");
    check(piece.to + piece.bytes <= c.to->memory_.size(), "a put writes the peer's memory");
    counters_.bytes_put += piece.bytes;
    counters_.pieces_put += 1;
  }
  if (!c.broken && !pieces.empty()) fabric_.put(c, {pieces.begin(), pieces.end()});
}

void SimLink::flush(PeerId peer, uint64_t tag) {
  Connection& c = open_peer(peer);
  if (!c.broken) fabric_.flush(c, tag);
}

void SimLink::send(PeerId peer, std::string_view message) {
  check(message.size() <= kMaxMessage, "a message is at most kMaxMessage");
  Connection& c = open_peer(peer);
  counters_.messages_sent += 1;
  if (!c.broken) fabric_.send(c, std::string(message));
}

std::optional<LinkEvent> SimLink::poll() {
  if (events_.empty()) return std::nullopt;
  LinkEvent event = std::move(events_.front());
  events_.pop_front();
  if (std::holds_alternative<Received>(event)) counters_.messages_received += 1;
  return event;
}

std::string SimLink::transport(PeerId peer) const {
  open_peer(peer);
  return fabric_.shared_memory() ? "shm" : "rdma";
}

Connection& SimLink::open_peer(PeerId peer) const {
  check(peer >= 0 && peer < static_cast<PeerId>(peers_.size()) && !peers_[peer]->closed, "the peer is connected");
  return *peers_[peer];
}

void SimLink::tell(LinkEvent event) {
  events_.push_back(std::move(event));
  on_event();
}

}  // namespace ferry::sim
