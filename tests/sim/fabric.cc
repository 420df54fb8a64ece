#include "tests/sim/fabric.h"

#include <algorithm>
#include <cstring>

#include "tests/sim/sim_link.h"

namespace ferry::sim {

namespace {

// 50 MB/s: pages are small here, and a measurement should not take long.
constexpr Duration kPerByte = std::chrono::nanoseconds(20);

}  // namespace

bool Connection::reads_memory() const {
  return std::any_of(puts.begin(), puts.end(), [](const auto& p) { return p.second.taken.empty(); });
}

bool Connection::over() const { return from->process().ended() || (closed && puts.empty()); }

Fabric::Fabric(const Schedule& schedule, Timeline& timeline, Weather& weather, Random& random)
    : schedule_(schedule), timeline_(timeline), weather_(weather), random_(random) {}

Fabric::~Fabric() = default;

SimLink& Fabric::make_link(Process& process, size_t kv_bytes, size_t probe_bytes) {
  const auto serial = static_cast<int>(links_.size());
  const SimLink::Size size = {.kv_bytes = kv_bytes, .probe_bytes = probe_bytes};
  return *links_.emplace_back(std::make_unique<SimLink>(*this, process, serial, size));
}

// ---- puts

void Fabric::put(Connection& c, std::vector<Piece> pieces) {
  const int number = c.n_puts++;
  int64_t bytes = 0;
  for (const Piece& piece : pieces) bytes += static_cast<int64_t>(piece.bytes);
  c.puts[number].pieces = std::move(pieces);
  const Duration wire = weather_.delay(c.from->process().host(), c.to->process().host());
  timeline_.after(wire + kPerByte * bytes, [this, &c, number] { arrive(c, number); });
}

void Fabric::arrive(Connection& c, int number) {
  const auto put = c.puts.find(number);
  if (put == c.puts.end()) return;  // taken back
  Process& sender = c.from->process();
  if (shared_memory()) {
    if (sender.ended()) return remove(c, number);
    if (sender.paused()) return sender.when_running([this, &c, number] { arrive(c, number); });
  } else {
    const bool lost = c.broken && random_.chance(0.5);
    if (lost || c.to->process().ended()) return remove(c, number);
    if (cut(c)) return timeline_.at(heals(c), [this, &c, number] { arrive(c, number); });
    if (!c.to->channels()[c.into].open) {
      break_off(c, "the peer has closed the channel");
      return remove(c, number);
    }
  }
  if (weather_.strikes(FaultKind::fail, sender.host(), c.to->process().host())) {
    break_off(c, "a put failed");
  } else {
    land(c, put->second);
  }
  remove(c, number);
}

void Fabric::land(Connection& c, Connection::Put& put) {
  const bool alive = !c.to->process().ended();
  const std::span<std::byte> from = c.from->memory(), to = c.to->kv();
  size_t taken = 0;
  for (const Piece& piece : put.pieces) {
    if (piece.to >= to.size()) return;  // a measurement
    if (alive) c.to->on_landing(c.into, piece);
    const std::byte* bytes = put.taken.empty() ? &from[piece.from] : &put.taken[taken];
    std::memmove(&to[piece.to], bytes, piece.bytes);
    taken += piece.bytes;
  }
  if (weather_.strikes(FaultKind::corrupt, c.from->process().host(), c.to->process().host())) {
    const Piece& piece = random_.one_of(put.pieces);
    to[piece.to + random_.below(static_cast<int>(piece.bytes))] ^= std::byte{0x10};
  }
}

void Fabric::remove(Connection& c, int number) {
  c.puts.erase(number);
  answer_flushes(c);
  settle(*c.from, c.through);
  settle(*c.to, c.into);
}

// ---- flushes and messages

void Fabric::flush(Connection& c, uint64_t tag) {
  c.flushes.push_back({.tag = tag, .before = c.n_puts});
  answer_flushes(c);
}

void Fabric::answer_flushes(Connection& c) {
  if (c.broken || c.closed) return;
  const int oldest = c.puts.empty() ? c.n_puts : c.puts.begin()->first;
  std::erase_if(c.flushes, [&](const Connection::Flush& flush) {
    if (flush.before > oldest) return false;
    const Duration back = weather_.delay(c.to->process().host(), c.from->process().host());
    timeline_.at(heals(c) + back, [&c, tag = flush.tag] {
      if (!c.broken && !c.closed) c.from->tell(Flushed{.peer = c.peer, .tag = tag});
    });
    return true;
  });
}

void Fabric::send(Connection& c, std::string bytes) {
  const Host from = c.from->process().host(), to = c.to->process().host();
  weather_.garble(from, to, bytes);
  for (const Weather::Delivery& delivery : weather_.deliveries(from, to)) {
    timeline_.after(delivery.after, [this, &c, bytes] { deliver(c, bytes); });
  }
}

void Fabric::deliver(Connection& c, const std::string& bytes) {
  if (c.to->process().ended() || !c.to->channels()[c.into].open) return;
  if (cut(c)) {
    if (!c.broken) timeline_.at(heals(c), [this, &c, bytes] { deliver(c, bytes); });
    return;
  }
  c.to->tell(Received{.channel = c.into, .bytes = bytes});
}

// ---- ends

void Fabric::closed(SimLink& link, ChannelId channel) {
  for (Connection* c : link.channels()[channel].out) let_go(*c);
  for (Connection* c : link.channels()[channel].in) {
    timeline_.at(heals(*c) + weather_.detection(), [this, c] { break_off(*c, "the peer has closed the channel"); });
  }
  timeline_.after(weather_.delay(link.process().host(), link.process().host()),
                  [this, &link, channel] { settle(link, channel); });
}

// Of what is under way when its sender closes: some is taken back, some is on the wire already, some goes on reading.
void Fabric::let_go(Connection& c) {
  for (auto put = c.puts.begin(); put != c.puts.end();) {
    const int fate = random_.below(cut(c) ? 2 : 3);
    if (fate == 0) {
      put = c.puts.erase(put);
      continue;
    }
    for (const Piece& piece : put->second.pieces) {
      const std::span<std::byte> bytes = c.from->memory().subspan(piece.from, fate == 1 ? piece.bytes : 0);
      put->second.taken.insert(put->second.taken.end(), bytes.begin(), bytes.end());
    }
    ++put;
  }
  settle(*c.to, c.into);
}

void Fabric::settle(SimLink& link, ChannelId id) {
  SimLink::Channel& channel = link.channels()[id];
  if (channel.open || link.process().ended() || channel.told_fenced) return;
  const auto reads = [](const Connection* c) { return c->reads_memory(); };
  if (!channel.told_closed && std::none_of(channel.out.begin(), channel.out.end(), reads)) {
    channel.told_closed = true;
    link.tell(Closed{.channel = id});
  }
  const auto over = [](const Connection* c) { return c->over(); };
  const bool fenced = !shared_memory() || std::all_of(channel.in.begin(), channel.in.end(), over);
  if (!channel.told_closed || !fenced) return;
  channel.told_fenced = true;
  link.tell(Fenced{.channel = id});
}

void Fabric::break_off(Connection& c, const char* why) {
  if (c.broken || c.closed || c.from->process().ended()) return;
  c.broken = true;
  c.flushes.clear();
  c.from->tell(Broken{.peer = c.peer, .why = why});
}

// ---- what links notice

Connection& Fabric::connect(SimLink& from, ChannelId through, SimLink& to, ChannelId into) {
  Connection& c = *connections_.emplace_back(
      std::make_unique<Connection>(Connection{.from = &from, .through = through, .to = &to, .into = into}));
  from.channels()[through].out.push_back(&c);
  to.channels()[into].in.push_back(&c);
  suspect(c);
  return c;
}

bool Fabric::cut(const Connection& c) const {
  return !shared_memory() && weather_.cut(c.from->process().host(), c.to->process().host());
}

Instant Fabric::heals(const Connection& c) const {
  return shared_memory() ? timeline_.now() : weather_.heals(c.from->process().host(), c.to->process().host());
}

bool Fabric::reachable(const Connection& c) const {
  return !cut(c) && c.to->process().running() && c.to->channels()[c.into].open;
}

void Fabric::suspect(Connection& c) {
  if (c.broken || c.closed || reachable(c)) return;
  timeline_.after(weather_.detection(), [this, &c] {
    if (!reachable(c)) break_off(c, "nothing comes back from the peer");
  });
}

void Fabric::ended(const Process& process) {
  for (const auto& c : connections_) {
    if (&c->to->process() == &process) suspect(*c);
    if (&c->from->process() == &process) settle(*c->to, c->into);
  }
}

// A network answers for a process that stands still, as long as nothing needs the process itself.
void Fabric::paused(const Process& process) {
  for (const auto& c : connections_) {
    if (&c->to->process() == &process && !shared_memory() && random_.chance(0.5)) suspect(*c);
  }
}

void Fabric::parted(Host a, Host b) {
  for (const auto& c : connections_) {
    const Host from = c->from->process().host(), to = c->to->process().host();
    if ((from == a && to == b) || (from == b && to == a)) suspect(*c);
  }
}

}  // namespace ferry::sim
