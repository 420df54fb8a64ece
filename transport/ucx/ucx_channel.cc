#include "transport/ucx/ucx_channel.h"

#include <algorithm>
#include <utility>

namespace ferry {

namespace {

using std::chrono::milliseconds;

// How often we look whether processes have ended.
constexpr milliseconds kLookInterval{100};

// How long a farewell may take to go out, and an endpoint to end: both are a few polls, unless the peer stands still.
constexpr milliseconds kFarewellTime{200}, kCloseTime{300};

// Nobody makes us remember more peers than this by connecting again and again.
constexpr size_t kMaxPeers = 4096;

}  // namespace

UcxChannel::UcxChannel(UcxCommon& link, ChannelId id)
    : link_(link),
      id_(id),
      worker_(open_ucx_worker(link.context.get())),
      address_{.worker = address_of(worker_.get()),
               .base = reinterpret_cast<uint64_t>(link.memory.span().data()),
               .bytes = link.memory.span().size(),
               .process = this_process()},
      inbox_(worker_.get(), requests_, tag_of(address_), handlers()) {}

// Endpoints that are not closed by now, the worker cleans up roughly.
UcxChannel::~UcxChannel() {
  for (const auto& [id, peer] : peers_) peer.endpoint->forget_key();
}

UcxInbox::Handlers UcxChannel::handlers() {
  const auto message = [this](std::string bytes) {
    if (closing_) return;
    ++link_.counters.messages_received;
    link_.events.emplace_back(Received{.channel = id_, .bytes = std::move(bytes)});
  };
  return {.message = message,
          .greeting = [this](UcxGreeting greeting) { greetings_.push_back(std::move(greeting)); },
          .refused = [this] { ++link_.counters.messages_refused; }};
}

PeerId UcxChannel::connect(const UcxAddress& address) {
  const auto known = usable_peer(address.worker);
  const bool was_guest = known != peers_.end() && std::exchange(known->second.is_guest, false);
  const PeerId id = was_guest ? known->first : add_peer(address, false);
  peers_.at(id).endpoint->greet(Hello{.from = address_, .to = address.worker, .connection = id});
  return id;
}

UcxEndpoint* UcxChannel::find(PeerId peer) const {
  const auto found = peers_.find(peer);
  return found == peers_.end() || found->second.is_guest ? nullptr : found->second.endpoint.get();
}

PeerId UcxChannel::add_peer(const UcxAddress& address, bool is_guest) {
  const PeerId id = link_.next_peer++;
  Peer& peer = peers_[id];
  peer.is_guest = is_guest;
  const auto failed = [this, id](std::string why) { tell_broken(id, std::move(why)); };
  peer.endpoint = std::make_unique<UcxEndpoint>(worker_.get(), requests_, address, failed);
  return id;
}

std::map<PeerId, UcxChannel::Peer>::iterator UcxChannel::usable_peer(const std::string& worker) {
  return std::find_if(peers_.begin(), peers_.end(), [&](const auto& entry) {
    return entry.second.endpoint->usable() && entry.second.endpoint->peer().worker == worker;
  });
}

void UcxChannel::tell_broken(PeerId peer, std::string why) {
  if (!closing_ && !peers_.at(peer).is_guest) link_.events.emplace_back(Broken{.peer = peer, .why = std::move(why)});
}

void UcxChannel::progress() {
  // As long as there is something to do, but not forever: peers that never stop sending must not hold the engine.
  constexpr int kMaxRounds = 256;
  for (int round = 0; worker_ && round < kMaxRounds && ucp_worker_progress(worker_.get()) != 0; ++round) {
  }
  handle_greetings();
  end_endpoints();
  const Time now = std::chrono::steady_clock::now();
  look_after_peers(now);
  if (closing_) progress_close(now);
}

void UcxChannel::handle_greetings() {
  for (; !greetings_.empty(); greetings_.pop_front()) {
    std::visit([this](const auto& greeting) { handle(greeting); }, greetings_.front());
  }
}

void UcxChannel::handle(const Hello& hello) {
  if (closing_ && !closed_) return;  // nobody is made an endpoint for, while those that there are end
  auto known = usable_peer(hello.from.worker);
  if (known == peers_.end()) {
    if (peers_.size() >= kMaxPeers) return;
    known = peers_.find(add_peer(hello.from, true));
  }
  auto& [id, peer] = *known;
  if (closing_ || hello.to != address_.worker) return say_goodbye(id, peer, hello.to);
  peer.connections.insert(hello.connection);
  peer.endpoint->greet(
      Welcome{.from = address_.worker, .connection = hello.connection, .key = link_.memory.packed_key()});
}

void UcxChannel::handle(const Welcome& welcome) {
  UcxEndpoint* const endpoint = find(welcome.connection);
  if (endpoint && endpoint->peer().worker == welcome.from) endpoint->accept_key(welcome.key);
}

void UcxChannel::handle(const Goodbye& goodbye) {
  for (auto& [id, peer] : peers_) {
    if (peer.endpoint->peer().worker != goodbye.from) continue;
    if (peer.endpoint->usable()) {
      peer.endpoint->close(Farewell{.from = address_.worker, .connection = id});
      tell_broken(id, "the peer has closed its channel");
    } else if (goodbye.again && peer.endpoint->finish_close()) {  // our farewell did not arrive
      link_.courier.deliver(peer.endpoint->peer(), Farewell{.from = address_.worker, .connection = id});
    }
  }
}

void UcxChannel::handle(const Farewell& farewell) {
  for (auto& [id, peer] : peers_) {
    if (peer.endpoint->peer().worker == farewell.from) peer.connections.erase(farewell.connection);
  }
  std::erase_if(writers_, [&](const Writer& writer) {
    return writer.peer.worker == farewell.from && writer.connection == farewell.connection;
  });
}

void UcxChannel::say_goodbye(PeerId id, Peer& peer, const std::string& from) {
  peer.endpoint->greet(Goodbye{.from = from});
  if (closing_ || (peer.is_guest && peer.connections.empty()))
    peer.endpoint->close(Farewell{.from = address_.worker, .connection = id});
}

// Those that failed, or whose peer has closed its channel, and when we close, all.
void UcxChannel::end_endpoints() {
  std::erase_if(peers_, [this](const auto& entry) {
    const Peer& peer = entry.second;
    if (peer.endpoint->usable() || !peer.endpoint->finish_close()) return false;
    if (!closing_ && !(peer.is_guest && peer.connections.empty())) return false;
    leave(entry.first, peer);
    return true;
  });
}

// Nothing of this endpoint is under way any more. Who waits to hear that will.
void UcxChannel::leave(PeerId id, const Peer& peer) {
  if (!peer.is_guest && peer.endpoint->owes_farewell())
    link_.courier.deliver(peer.endpoint->peer(), Farewell{.from = address_.worker, .connection = id});
}

void UcxChannel::look_after_peers(Time now) {
  if (now < next_look_) return;
  next_look_ = now + kLookInterval;
  for (auto& [id, peer] : peers_) {
    peer.endpoint->look_after_peer();
    if (!peer.connections.empty() && has_ended(peer.endpoint->peer().process)) peer.connections.clear();
  }
  std::erase_if(writers_, [](const Writer& writer) { return has_ended(writer.peer.process); });
}

void UcxChannel::close() {
  closing_ = true;
  hurry_at_ = std::chrono::steady_clock::now() + kFarewellTime;
  give_up_at_ = hurry_at_ + kCloseTime;
  next_reminder_ = give_up_at_;
  for (auto& [id, peer] : peers_) {
    if (peer.endpoint->shares_memory()) {
      for (const PeerId connection : peer.connections)
        writers_.push_back({.peer = peer.endpoint->peer(), .connection = connection});
    }
    say_goodbye(id, peer, address_.worker);
  }
}

void UcxChannel::progress_close(Time now) {
  if (now >= hurry_at_) {
    for (const auto& [id, peer] : peers_) peer.endpoint->hurry();
  }
  if (!closed_ && (peers_.empty() || now >= give_up_at_)) {
    // Only when it has to be: without a worker we do not hear the farewells of those who share memory with us.
    const bool may_read =
        std::any_of(peers_.begin(), peers_.end(), [](const auto& e) { return e.second.endpoint->has_put(); });
    if (may_read) end_worker();
    closed_ = true;
    link_.events.emplace_back(Closed{.channel = id_});
  }
  if (!closed_) return;
  if (!writers_.empty()) return remind_writers(now);
  link_.courier.withdraw(Goodbye{.from = address_.worker, .again = true});
  end_worker();
  link_.events.emplace_back(Fenced{.channel = id_});
}

// Our Goodbye, or the answer, did not get through: it was in a queue that was full, of an endpoint that had to end.
void UcxChannel::remind_writers(Time now) {
  if (now < next_reminder_) return;
  next_reminder_ = now + ucx_pause_after(n_reminders_++);
  for (const Writer& writer : writers_)
    link_.courier.deliver(writer.peer, Goodbye{.from = address_.worker, .again = true});
}

void UcxChannel::end_worker() {
  for (const auto& [id, peer] : peers_) peer.endpoint->forget_key();
  worker_.reset();
  for (const auto& [id, peer] : peers_) leave(id, peer);
  peers_.clear();
}

}  // namespace ferry
