#include "transport/ucx/ucx_link.h"

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "core/base/check.h"
#include "core/base/error.h"
#include "transport/pieces.h"
#include "transport/ucx/lock_limit.h"
#include "transport/ucx/network_devices.h"
#include "transport/ucx/ucx_address.h"
#include "transport/ucx/ucx_channel.h"
#include "transport/ucx/ucx_settings.h"

namespace ferry {

namespace {

class UcxLink final : public KvLink {
 public:
  explicit UcxLink(const UcxOptions& options);
  ~UcxLink() override;

  std::span<std::byte> memory() override { return common_.memory.span(); }
  ChannelId open() override;
  std::string address(ChannelId channel) const override { return opened(channel).address(); }
  PeerId connect(ChannelId channel, const std::string& address) override;
  void close(ChannelId channel) override;
  uint64_t memory_bytes(PeerId peer) const override { return connected(peer).peer().bytes; }
  void put(PeerId peer, std::span<const Piece> pieces) override;
  void flush(PeerId peer, uint64_t tag) override;
  void send(PeerId peer, std::string_view message) override;
  std::optional<LinkEvent> poll() override;
  std::string transport(PeerId peer) const override { return connected(peer).transport(common_.memory.type()); }
  LinkCounters counters() const override { return common_.counters; }

 private:
  struct Connected {
    ChannelId channel = -1;
    UcxEndpoint* endpoint = nullptr;  // the channel's; nullptr: is connected no more, or a guest
  };

  UcxChannel& opened(ChannelId channel) const;
  UcxEndpoint& connected(PeerId peer) const;
  void progress();
  void progress_channels();
  void forget_events_of(ChannelId channel);

  UcxCommon common_;
  int n_events_in_a_row_ = 0;  // since the last progress
  ChannelId next_channel_ = 0;
  std::map<ChannelId, std::unique_ptr<UcxChannel>> channels_;
  std::vector<Connected> connected_;  // by PeerId: looked up for every put
  std::vector<std::unique_ptr<UcxChannel>> closing_;
};

UcxContext context_for(const UcxOptions& options) { return open_ucx_context(ucx_settings(options)); }

UcxLink::UcxLink(const UcxOptions& options) : common_(context_for(options), options) {}

UcxLink::~UcxLink() {
  while (!channels_.empty()) close(channels_.begin()->first);
  const auto is_closed = [](const auto& channel) { return channel->is_closed(); };
  while (!std::all_of(closing_.begin(), closing_.end(), is_closed)) progress_channels();
}

ChannelId UcxLink::open() {
  channels_[next_channel_] = std::make_unique<UcxChannel>(common_, next_channel_);
  return next_channel_++;
}

PeerId UcxLink::connect(ChannelId channel, const std::string& address) {
  UcxChannel& through = opened(channel);
  const PeerId peer = through.connect(ucx_address_of(address));
  connected_.resize(std::max(connected_.size(), static_cast<size_t>(peer) + 1));
  connected_[peer] = {.channel = channel, .endpoint = through.find(peer)};
  return peer;
}

void UcxLink::close(ChannelId channel) {
  opened(channel);
  forget_events_of(channel);
  for (Connected& peer : connected_) {
    if (peer.channel == channel) peer = {};
  }
  const auto found = channels_.extract(channel);
  found.mapped()->close();
  closing_.push_back(std::move(found.mapped()));
}

void UcxLink::put(PeerId peer, std::span<const Piece> pieces) {
  UcxEndpoint& endpoint = connected(peer);
  check_inside(pieces, common_.memory.span().size(), endpoint.peer().bytes);
  uint64_t n_pieces = 0;
  for_each_joined(pieces, [&](const Piece& piece) {
    endpoint.put(common_.memory, piece);
    ++n_pieces;
  });
  common_.counters.bytes_put += bytes_of(pieces);
  common_.counters.pieces_put += n_pieces;
}

void UcxLink::flush(PeerId peer, uint64_t tag) {
  connected(peer).flush([this, peer, tag] { common_.events.emplace_back(Flushed{.peer = peer, .tag = tag}); });
}

void UcxLink::send(PeerId peer, std::string_view message) {
  check(message.size() <= kMaxMessage, "a message is at most kMaxMessage");
  connected(peer).send(std::string(message));
  ++common_.counters.messages_sent;
}

std::optional<LinkEvent> UcxLink::poll() {
  // Events first, so that they do not pile up; but who makes events as fast as they are taken must hear of the others.
  constexpr int kMaxEventsInARow = 16;
  if (common_.events.empty() || ++n_events_in_a_row_ > kMaxEventsInARow) progress();
  if (common_.events.empty()) return std::nullopt;
  LinkEvent event = std::move(common_.events.front());
  common_.events.pop_front();
  return event;
}

void UcxLink::progress() {
  n_events_in_a_row_ = 0;
  progress_channels();
  common_.courier.progress();
}

void UcxLink::progress_channels() {
  for (const auto& [id, channel] : channels_) channel->progress();
  for (const auto& channel : closing_) channel->progress();
  std::erase_if(closing_, [](const auto& channel) { return channel->is_fenced(); });
}

UcxChannel& UcxLink::opened(ChannelId channel) const {
  const auto found = channels_.find(channel);
  check(found != channels_.end(), "the channel is open");
  return *found->second;
}

UcxEndpoint& UcxLink::connected(PeerId peer) const {
  const auto at = static_cast<size_t>(peer);
  check(at < connected_.size() && connected_[at].endpoint != nullptr, "the peer is connected");
  return *connected_[at].endpoint;
}

void UcxLink::forget_events_of(ChannelId id) {
  const UcxChannel& channel = opened(id);
  std::erase_if(common_.events, [&](const LinkEvent& event) {
    const auto* flushed = std::get_if<Flushed>(&event);
    const auto* broken = std::get_if<Broken>(&event);
    const auto* received = std::get_if<Received>(&event);
    return (flushed && channel.find(flushed->peer)) || (broken && channel.find(broken->peer)) ||
           (received && received->channel == id);
  });
}

void require_machine_for(const UcxOptions& options) {
  using Transport = UcxOptions::Transport;
  require_devices(options.devices);
  const bool has_rdma = !rdma_devices().empty();
  if (options.transport == Transport::rdma && !has_rdma)
    throw Error("transport rdma: this machine has no RDMA device (/sys/class/infiniband); load its driver, or use tcp");
  const bool may_use_rdma = options.transport == Transport::rdma || options.transport == Transport::automatic;
  if (has_rdma && may_use_rdma && options.card_memory.empty())
    require_lockable(options.memory_bytes, lock_limit_bytes());
}

}  // namespace

std::unique_ptr<KvLink> make_ucx_link(const UcxOptions& options) {
  require_machine_for(options);
  return std::make_unique<UcxLink>(options);
}

}  // namespace ferry
