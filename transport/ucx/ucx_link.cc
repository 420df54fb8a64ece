#include "transport/ucx/ucx_link.h"

#include <chrono>
#include <deque>
#include <map>
#include <utility>

#include "core/base/check.h"
#include "core/base/error.h"
#include "transport/pieces.h"
#include "transport/ucx/lock_limit.h"
#include "transport/ucx/network_devices.h"
#include "transport/ucx/ucx_address.h"
#include "transport/ucx/ucx_endpoint.h"
#include "transport/ucx/ucx_handles.h"
#include "transport/ucx/ucx_memory.h"
#include "transport/ucx/ucx_requests.h"
#include "transport/ucx/ucx_settings.h"

namespace ferry {

namespace {

class UcxLink final : public KvLink {
 public:
  explicit UcxLink(const UcxOptions& options);
  ~UcxLink() override;

  std::span<std::byte> memory() override { return memory_.span(); }
  std::string address() const override;
  PeerId connect(const std::string& address) override;
  void disconnect(PeerId peer) override;
  void put(PeerId peer, std::span<const Piece> pieces) override;
  void flush(PeerId peer, uint64_t tag) override;
  void send(PeerId peer, std::string_view message) override;
  std::optional<LinkEvent> poll() override;
  std::string transport(PeerId peer) const override { return connected(peer).transport(); }
  LinkCounters counters() const override { return counters_; }

 private:
  void listen();
  static ucs_status_t arrive(void* link, const void* header, size_t header_bytes, void* data, size_t bytes,
                             const ucp_am_recv_param_t* how);
  void fetch(void* announced, size_t bytes);
  void hand_out(std::string message);
  UcxEndpoint& connected(PeerId peer) const;
  void progress();
  void look_after_peers();
  void forget_events_of(PeerId peer);

  // In the order in which UCX wants them made, and unmade: what a request touches outlives the worker.
  UcxContext context_;
  UcxMemory memory_;
  std::deque<LinkEvent> events_;
  LinkCounters counters_;
  UcxRequests requests_;
  PeerId next_peer_ = 0;
  std::chrono::steady_clock::time_point next_look_;
  std::map<PeerId, std::unique_ptr<UcxEndpoint>> peers_;
  std::vector<std::unique_ptr<UcxEndpoint>> closing_;
  UcxWorker worker_;
};

UcxLink::UcxLink(const UcxOptions& options)
    : context_(open_ucx_context(ucx_settings(options))),
      memory_(context_.get(), options.memory_bytes),
      worker_(open_ucx_worker(context_.get())) {
  listen();
}

UcxLink::~UcxLink() {
  while (!peers_.empty()) disconnect(peers_.begin()->first);
  // Ends within a few polls, unless a peer has not answered our introduction yet. Then the worker cleans up roughly.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  while (!closing_.empty() && std::chrono::steady_clock::now() < deadline) progress();
  for (const auto& endpoint : closing_) endpoint->forget_key();
}

std::string UcxLink::address() const {
  return packed({.worker = address_of(worker_.get()),
                 .key = memory_.packed_key(),
                 .base = reinterpret_cast<uint64_t>(memory_.span().data()),
                 .bytes = memory_.span().size(),
                 .process = this_process()});
}

PeerId UcxLink::connect(const std::string& address) {
  const UcxAddress opened = ucx_address_of(address);
  const PeerId peer = next_peer_++;
  const auto failed = [this, peer](std::string why) { events_.push_back(Broken{.peer = peer, .why = std::move(why)}); };
  peers_[peer] = std::make_unique<UcxEndpoint>(worker_.get(), requests_, opened, failed);
  return peer;
}

void UcxLink::disconnect(PeerId peer) {
  connected(peer).close();
  closing_.push_back(std::move(peers_.at(peer)));
  peers_.erase(peer);
  forget_events_of(peer);
}

void UcxLink::put(PeerId peer, std::span<const Piece> pieces) {
  UcxEndpoint& endpoint = connected(peer);
  check_inside(pieces, memory_.span().size(), endpoint.memory_bytes());
  const std::vector<Piece> fewer = joined(pieces);
  endpoint.put(memory_, fewer);
  counters_.bytes_put += bytes_of(fewer);
  counters_.pieces_put += fewer.size();
}

void UcxLink::flush(PeerId peer, uint64_t tag) {
  connected(peer).flush([this, peer, tag] { events_.push_back(Flushed{.peer = peer, .tag = tag}); });
}

void UcxLink::send(PeerId peer, std::string_view message) {
  check(message.size() <= kMaxMessage, "a message is at most kMaxMessage");
  connected(peer).send(std::string(message));
  ++counters_.messages_sent;
}

std::optional<LinkEvent> UcxLink::poll() {
  if (events_.empty()) progress();
  if (events_.empty()) return std::nullopt;
  LinkEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void UcxLink::progress() {
  // As long as there is something to do, but not forever: peers that never stop sending must not hold the engine.
  constexpr int kMaxRounds = 256;
  for (int round = 0; round < kMaxRounds && ucp_worker_progress(worker_.get()) != 0; ++round) {
  }
  std::erase_if(closing_, [](const auto& endpoint) { return endpoint->finish_close(); });
  look_after_peers();
}

void UcxLink::look_after_peers() {
  constexpr auto kInterval = std::chrono::milliseconds(100);
  const auto now = std::chrono::steady_clock::now();
  if (now < next_look_) return;
  next_look_ = now + kInterval;
  for (const auto& [peer, endpoint] : peers_) endpoint->look_after_peer();
}

void UcxLink::listen() {
  ucp_am_handler_param_t params{};
  params.field_mask = UCP_AM_HANDLER_PARAM_FIELD_ID | UCP_AM_HANDLER_PARAM_FIELD_FLAGS | UCP_AM_HANDLER_PARAM_FIELD_CB |
                      UCP_AM_HANDLER_PARAM_FIELD_ARG;
  params.id = kMessageId;
  params.flags = UCP_AM_FLAG_WHOLE_MSG;
  params.cb = &UcxLink::arrive;
  params.arg = this;
  need_ucx(ucp_worker_set_am_recv_handler(worker_.get(), &params), "listen for messages");
}

ucs_status_t UcxLink::arrive(void* link, const void*, size_t, void* data, size_t bytes,
                             const ucp_am_recv_param_t* how) {
  auto& self = *static_cast<UcxLink*>(link);
  if (bytes > kMaxMessage) {
    ++self.counters_.messages_refused;
    return UCS_OK;  // UCX drops it
  }
  if (how->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) {
    self.fetch(data, bytes);
    return UCS_INPROGRESS;
  }
  self.hand_out(std::string(static_cast<const char*>(data), bytes));
  return UCS_OK;
}

// A large message is announced first and fetched when there is room for it.
void UcxLink::fetch(void* announced, size_t bytes) {
  const auto post = [this, announced](std::string& buffer, const ucp_request_param_t& params) {
    return ucp_am_recv_data_nbx(worker_.get(), announced, buffer.data(), buffer.size(), &params);
  };
  requests_.receive(std::string(bytes, '\0'), post, [this](ucs_status_t status, std::string& message) {
    if (status == UCS_OK) hand_out(std::move(message));  // else its sender has gone meanwhile
  });
}

void UcxLink::hand_out(std::string message) {
  ++counters_.messages_received;
  events_.push_back(Received{.bytes = std::move(message)});
}

UcxEndpoint& UcxLink::connected(PeerId peer) const {
  const auto found = peers_.find(peer);
  check(found != peers_.end(), "the peer is connected");
  return *found->second;
}

void UcxLink::forget_events_of(PeerId peer) {
  std::erase_if(events_, [peer](const LinkEvent& event) {
    const auto* flushed = std::get_if<Flushed>(&event);
    const auto* broken = std::get_if<Broken>(&event);
    return (flushed && flushed->peer == peer) || (broken && broken->peer == peer);
  });
}

void require_machine_for(const UcxOptions& options) {
  using Transport = UcxOptions::Transport;
  require_devices(options.devices);
  const bool has_rdma = !rdma_devices().empty();
  if (options.transport == Transport::rdma && !has_rdma)
    throw Error("transport rdma: this machine has no RDMA device (/sys/class/infiniband); load its driver, or use tcp");
  const bool may_use_rdma = options.transport == Transport::rdma || options.transport == Transport::automatic;
  if (has_rdma && may_use_rdma) require_lockable(options.memory_bytes, lock_limit_bytes());
}

}  // namespace

std::unique_ptr<KvLink> make_ucx_link(const UcxOptions& options) {
  require_machine_for(options);
  return std::make_unique<UcxLink>(options);
}

}  // namespace ferry
