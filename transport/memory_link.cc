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

struct MemoryFabric::Members {
  struct Member {
    std::span<std::byte> memory;
    std::deque<std::string> inbox;
  };

  // Both ends are there and nothing is cut between them. The caller holds the mutex.
  bool reachable(int from, int to) const {
    return alive.contains(from) && alive.contains(to) && !cuts.contains(std::minmax(from, to));
  }

  std::mutex mutex;
  std::vector<size_t> memory_bytes;    // by id, of every link that was ever made
  std::map<int, Member> alive;         // by id; an id is never used again
  std::set<std::pair<int, int>> cuts;  // (lower id, higher id)
};

namespace {

using Members = MemoryFabric::Members;

constexpr std::string_view kKind = "memory link";

struct MemoryAddress {
  int id = 0;
  template <class A>
  void fields(A& a) {
    a(id);
  }
};

std::string address_of(int id) { return sealed(kKind, pack(MemoryAddress{.id = id})); }

int id_of(const std::string& address) {
  const auto body = unsealed(kKind, address);
  const auto opened = body ? unpack<MemoryAddress>(*body) : std::nullopt;
  if (!opened) throw Error(str("these ", address.size(), " bytes are not the address of a memory link"));
  return opened->id;
}

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
  MemoryLink(Members& members, size_t memory_bytes);
  ~MemoryLink() override;

  std::span<std::byte> memory() override { return pages_.span(); }
  std::string address() const override { return address_of(id_); }
  PeerId connect(const std::string& address) override;
  void disconnect(PeerId peer) override;
  void put(PeerId peer, std::span<const Piece> pieces) override;
  void flush(PeerId peer, uint64_t tag) override;
  void send(PeerId peer, std::string_view message) override;
  std::optional<LinkEvent> poll() override;
  std::string transport(PeerId peer) const override;
  LinkCounters counters() const override { return counters_; }

 private:
  struct Peer {
    int id = 0;
    size_t memory_bytes = 0;
    bool broken = false;  // told by an event
  };
  struct Put {
    PeerId peer = 0;
    std::vector<Piece> pieces;
  };
  using Posted = std::variant<Put, Flushed>;  // a flush is the event that answers it

  const Peer& connected(PeerId peer) const;
  void forget_posted(PeerId peer);
  std::optional<LinkEvent> newly_broken();
  std::optional<LinkEvent> next_flushed();
  std::optional<LinkEvent> next_received();
  void copy(const Put& put);

  Members& members_;
  Pages pages_;
  int id_ = 0;
  PeerId next_peer_ = 0;
  std::map<PeerId, Peer> peers_;
  std::deque<Posted> posted_;
  LinkCounters counters_;
};

MemoryLink::MemoryLink(Members& members, size_t memory_bytes) : members_(members), pages_(memory_bytes) {
  const std::lock_guard lock(members_.mutex);
  id_ = static_cast<int>(members_.memory_bytes.size());
  members_.memory_bytes.push_back(memory_bytes);
  members_.alive[id_].memory = pages_.span();
}

MemoryLink::~MemoryLink() {
  const std::lock_guard lock(members_.mutex);
  members_.alive.erase(id_);
}

PeerId MemoryLink::connect(const std::string& address) {
  const int id = id_of(address);
  const std::lock_guard lock(members_.mutex);
  const auto at = static_cast<size_t>(id);
  if (at >= members_.memory_bytes.size()) throw Error(str("the fabric has no memory link ", id));
  peers_[next_peer_] = {.id = id, .memory_bytes = members_.memory_bytes[at]};
  return next_peer_++;
}

void MemoryLink::disconnect(PeerId peer) {
  connected(peer);
  forget_posted(peer);
  peers_.erase(peer);
}

void MemoryLink::put(PeerId peer, std::span<const Piece> pieces) {
  const Peer& to = connected(peer);
  check_inside(pieces, pages_.span().size(), to.memory_bytes);
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
  if (members_.reachable(id_, to.id)) members_.alive[to.id].inbox.emplace_back(message);
  ++counters_.messages_sent;
}

std::optional<LinkEvent> MemoryLink::poll() {
  const std::lock_guard lock(members_.mutex);
  if (auto event = newly_broken()) return event;
  if (auto event = next_flushed()) return event;
  return next_received();
}

std::string MemoryLink::transport(PeerId peer) const {
  connected(peer);
  return "memory";
}

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

std::optional<LinkEvent> MemoryLink::newly_broken() {
  for (auto& [peer, to] : peers_) {
    if (to.broken || members_.reachable(id_, to.id)) continue;
    to.broken = true;
    forget_posted(peer);
    return Broken{.peer = peer, .why = str("memory link ", to.id, " cannot be reached")};
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
  Received received{.bytes = std::move(me->second.inbox.front())};
  me->second.inbox.pop_front();
  ++counters_.messages_received;
  return received;
}

void MemoryLink::copy(const Put& put) {
  const std::span<std::byte> from = pages_.span();
  const std::span<std::byte> to = members_.alive.at(peers_.at(put.peer).id).memory;
  for (const Piece& piece : put.pieces) std::memmove(&to[piece.to], &from[piece.from], piece.bytes);
}

}  // namespace

MemoryFabric::MemoryFabric() : members_(std::make_unique<Members>()) {}
MemoryFabric::~MemoryFabric() = default;

std::unique_ptr<KvLink> MemoryFabric::make_link(size_t memory_bytes) {
  return std::make_unique<MemoryLink>(*members_, memory_bytes);
}

void MemoryFabric::kill(const std::string& address) {
  const std::lock_guard lock(members_->mutex);
  members_->alive.erase(id_of(address));
}

void MemoryFabric::cut(const std::string& one, const std::string& other) {
  const std::lock_guard lock(members_->mutex);
  members_->cuts.insert(std::minmax(id_of(one), id_of(other)));
}

}  // namespace ferry
