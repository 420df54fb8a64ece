#include "transport/memory_link.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/base/error.h"
#include "transport/pieces.h"
#include "transport/sealed.h"

namespace ferry {

namespace {

struct MemoryAddress {  // of a channel
  int link = 0;
  ChannelId channel = 0;
  template <class A>
  void fields(A& a) {
    a(link, channel);
  }
};

constexpr std::string_view kKind = "memory link";

std::string packed(const MemoryAddress& address) { return sealed(kKind, pack(address)); }

MemoryAddress address_in(const std::string& bytes) {
  const auto body = unsealed(kKind, bytes);
  const auto address = body ? unpack<MemoryAddress>(*body) : std::nullopt;
  if (!address) throw Error(str("these ", bytes.size(), " bytes are not the address of a memory link"));
  return *address;
}

}  // namespace

struct MemoryFabric::Members {
  struct Member {
    std::span<std::byte> memory;
    std::set<ChannelId> open;
    std::deque<Received> inbox;
  };

  // Both ends are there, the channel is open and nothing is cut between them. The caller holds the mutex.
  bool reachable(int from, const MemoryAddress& to) const {
    const auto found = alive.find(to.link);
    return alive.contains(from) && found != alive.end() && found->second.open.contains(to.channel) &&
           !cuts.contains(std::minmax(from, to.link));
  }

  std::mutex mutex;
  std::vector<size_t> memory_bytes;    // by id, of every link that was ever made
  std::map<int, Member> alive;         // by id; an id is never used again
  std::set<std::pair<int, int>> cuts;  // (lower id, higher id)
};

namespace {

using Members = MemoryFabric::Members;

// Zeroed pages from the kernel: page-aligned, and only what is touched costs memory.
class Pages {
 public:
  explicit Pages(size_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) throw Error(str("no memory for ", bytes, " bytes of KV: ", std::strerror(errno)));
    begin_ = static_cast<std::byte*>(at);
  }
  ~Pages() {
    if (begin_) munmap(begin_, bytes_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  std::span<std::byte> span() const { return {begin_, bytes_}; }

 private:
  size_t bytes_;
  std::byte* begin_ = nullptr;
};

class MemoryLink final : public KvLink {
 public:
  MemoryLink(Members& members, std::unique_ptr<Pages> pages);
  MemoryLink(Members& members, std::span<std::byte> memory);
  ~MemoryLink() override;

  std::span<std::byte> memory() override { return memory_; }
  ChannelId open() override;
  std::string address(ChannelId channel) const override;
  PeerId connect(ChannelId channel, const std::string& address) override;
  void close(ChannelId channel) override;
  uint64_t memory_bytes(PeerId peer) const override { return connected(peer).memory_bytes; }
  void put(PeerId peer, std::span<const Piece> pieces) override;
  void flush(PeerId peer, uint64_t tag) override;
  void send(PeerId peer, std::string_view message) override;
  std::optional<LinkEvent> poll() override;
  std::string transport(PeerId peer) const override;
  LinkCounters counters() const override { return counters_; }

 private:
  struct Peer {
    ChannelId channel = 0;  // through which it is connected
    MemoryAddress address;
    size_t memory_bytes = 0;
    bool broken = false;  // told by an event
  };
  struct Put {
    PeerId peer = 0;
    std::vector<Piece> pieces;
  };
  using Posted = std::variant<Put, Flushed>;  // a flush is the event that answers it

  void need_open(ChannelId channel) const;
  const Peer& connected(PeerId peer) const;
  void forget_posted(PeerId peer);
  std::optional<LinkEvent> next_of_closed();
  std::optional<LinkEvent> newly_broken();
  std::optional<LinkEvent> next_flushed();
  std::optional<LinkEvent> next_received();
  void copy(const Put& put);

  Members& members_;
  std::unique_ptr<Pages> pages_;  // where the memory is its own
  std::span<std::byte> memory_;
  int id_ = 0;
  ChannelId next_channel_ = 0;
  PeerId next_peer_ = 0;
  std::set<ChannelId> channels_;
  std::map<PeerId, Peer> peers_;
  std::deque<Posted> posted_;
  std::deque<LinkEvent> of_closed_;  // channels: not told yet
  LinkCounters counters_;
};

MemoryLink::MemoryLink(Members& members, std::span<std::byte> memory) : members_(members), memory_(memory) {
  const std::lock_guard lock(members_.mutex);
  id_ = static_cast<int>(members_.memory_bytes.size());
  members_.memory_bytes.push_back(memory.size());
  members_.alive[id_].memory = memory;
}

MemoryLink::MemoryLink(Members& members, std::unique_ptr<Pages> pages) : MemoryLink(members, pages->span()) {
  pages_ = std::move(pages);
}

MemoryLink::~MemoryLink() {
  const std::lock_guard lock(members_.mutex);
  members_.alive.erase(id_);
}

ChannelId MemoryLink::open() {
  const std::lock_guard lock(members_.mutex);
  const auto me = members_.alive.find(id_);
  if (me != members_.alive.end()) me->second.open.insert(next_channel_);
  channels_.insert(next_channel_);
  return next_channel_++;
}

std::string MemoryLink::address(ChannelId channel) const {
  need_open(channel);
  return packed({.link = id_, .channel = channel});
}

PeerId MemoryLink::connect(ChannelId channel, const std::string& address) {
  need_open(channel);
  const MemoryAddress opened = address_in(address);
  const std::lock_guard lock(members_.mutex);
  const auto at = static_cast<size_t>(opened.link);
  if (at >= members_.memory_bytes.size()) throw Error(str("the fabric has no memory link ", opened.link));
  peers_[next_peer_] = {.channel = channel, .address = opened, .memory_bytes = members_.memory_bytes[at]};
  return next_peer_++;
}

void MemoryLink::close(ChannelId channel) {
  need_open(channel);
  for (const auto& [peer, to] : peers_) {
    if (to.channel == channel) forget_posted(peer);
  }
  std::erase_if(peers_, [channel](const auto& entry) { return entry.second.channel == channel; });
  channels_.erase(channel);
  of_closed_.emplace_back(Closed{.channel = channel});
  of_closed_.emplace_back(Fenced{.channel = channel});
  const std::lock_guard lock(members_.mutex);
  const auto me = members_.alive.find(id_);
  if (me == members_.alive.end()) return;
  me->second.open.erase(channel);
  std::erase_if(me->second.inbox, [channel](const Received& received) { return received.channel == channel; });
}

void MemoryLink::put(PeerId peer, std::span<const Piece> pieces) {
  const Peer& to = connected(peer);
  check_inside(pieces, memory_.size(), to.memory_bytes);
  if (to.broken) return;
  posted_.push_back(Put{.peer = peer, .pieces = joined(pieces)});
  counters_.bytes_put += bytes_of(pieces);
  counters_.pieces_put += std::get<Put>(posted_.back()).pieces.size();
}

void MemoryLink::flush(PeerId peer, uint64_t tag) {
  if (!connected(peer).broken) posted_.push_back(Flushed{.peer = peer, .tag = tag});
}

void MemoryLink::send(PeerId peer, std::string_view message) {
  check(message.size() <= kMaxMessage, "a message is at most kMaxMessage");
  const Peer& to = connected(peer);
  if (to.broken) return;
  const std::lock_guard lock(members_.mutex);
  if (members_.reachable(id_, to.address))
    members_.alive[to.address.link].inbox.push_back({.channel = to.address.channel, .bytes = std::string(message)});
  ++counters_.messages_sent;
}

std::optional<LinkEvent> MemoryLink::poll() {
  const std::lock_guard lock(members_.mutex);
  if (auto event = next_of_closed()) return event;
  if (auto event = newly_broken()) return event;
  if (auto event = next_flushed()) return event;
  return next_received();
}

std::string MemoryLink::transport(PeerId peer) const {
  connected(peer);
  return "memory";
}

void MemoryLink::need_open(ChannelId channel) const { check(channels_.contains(channel), "the channel is open"); }

const MemoryLink::Peer& MemoryLink::connected(PeerId peer) const {
  const auto found = peers_.find(peer);
  check(found != peers_.end(), "the peer is connected");
  return found->second;
}

void MemoryLink::forget_posted(PeerId peer) {
  std::erase_if(posted_, [peer](const Posted& posted) {
    return std::visit([peer](const auto& operation) { return operation.peer == peer; }, posted);
  });
}

std::optional<LinkEvent> MemoryLink::next_of_closed() {
  if (of_closed_.empty()) return std::nullopt;
  LinkEvent event = std::move(of_closed_.front());
  of_closed_.pop_front();
  return event;
}

std::optional<LinkEvent> MemoryLink::newly_broken() {
  for (auto& [peer, to] : peers_) {
    if (to.broken || members_.reachable(id_, to.address)) continue;
    to.broken = true;
    forget_posted(peer);
    return Broken{.peer = peer, .why = str("memory link ", to.address.link, " cannot be reached")};
  }
  return std::nullopt;
}

std::optional<LinkEvent> MemoryLink::next_flushed() {
  while (!posted_.empty()) {
    const Posted oldest = std::move(posted_.front());
    posted_.pop_front();
    if (const auto* flushed = std::get_if<Flushed>(&oldest)) return *flushed;
    copy(std::get<Put>(oldest));
  }
  return std::nullopt;
}

std::optional<LinkEvent> MemoryLink::next_received() {
  const auto me = members_.alive.find(id_);
  if (me == members_.alive.end() || me->second.inbox.empty()) return std::nullopt;
  Received received = std::move(me->second.inbox.front());
  me->second.inbox.pop_front();
  ++counters_.messages_received;
  return received;
}

void MemoryLink::copy(const Put& put) {
  const std::span<std::byte> from = memory_;
  const std::span<std::byte> to = members_.alive.at(peers_.at(put.peer).address.link).memory;
  for (const Piece& piece : put.pieces) std::memmove(&to[piece.to], &from[piece.from], piece.bytes);
}

}  // namespace

MemoryFabric::MemoryFabric() : members_(std::make_unique<Members>()) {}
MemoryFabric::~MemoryFabric() = default;

std::unique_ptr<KvLink> MemoryFabric::make_link(size_t memory_bytes) {
  return std::make_unique<MemoryLink>(*members_, std::make_unique<Pages>(memory_bytes));
}
std::unique_ptr<KvLink> MemoryFabric::make_link(std::span<std::byte> memory) {
  return std::make_unique<MemoryLink>(*members_, memory);
}

void MemoryFabric::kill(const std::string& address) {
  const std::lock_guard lock(members_->mutex);
  members_->alive.erase(address_in(address).link);
}

void MemoryFabric::cut(const std::string& one, const std::string& other) {
  const std::lock_guard lock(members_->mutex);
  members_->cuts.insert(std::minmax(address_in(one).link, address_in(other).link));
}

}  // namespace ferry
