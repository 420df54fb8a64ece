#include "transport/staged/staged_link.h"

#include <algorithm>
#include <map>
#include <utility>

#include "core/base/check.h"
#include "core/base/error.h"
#include "transport/pieces.h"
#include "transport/staged/slot_receiver.h"
#include "transport/staged/slot_sender.h"
#include "transport/staged/staged_address.h"

namespace ferry {

namespace {

StagedCommon common_of(KvLink& below, const std::optional<Staging>& staging) {
  if (!staging) return {.below = below, .memory = below.memory()};
  const int n = static_cast<int>(below.memory().size() / 2 / staging->slot_bytes);
  check(n > 0, "there is memory for a slot each way");
  return {.below = below,
          .device = &staging->device,
          .memory = staging->memory,
          .receiving = {.begin = 0, .n = n, .bytes = staging->slot_bytes},
          .sending = {.begin = n * staging->slot_bytes, .n = n, .bytes = staging->slot_bytes}};
}

class StagedLink final : public KvLink {
 public:
  StagedLink(std::unique_ptr<KvLink> below, const std::optional<Staging>& staging);
  ~StagedLink() override;

  std::span<std::byte> memory() override { return common_.memory; }
  ChannelId open() override { return below_->open(); }
  std::string address(ChannelId channel) const override;
  PeerId connect(ChannelId channel, const std::string& address) override;
  void close(ChannelId channel) override;
  uint64_t memory_bytes(PeerId peer) const override { return connected(peer).address.memory_bytes; }
  void put(PeerId peer, std::span<const Piece> pieces) override;
  void flush(PeerId peer, uint64_t tag) override;
  void send(PeerId peer, std::string_view message) override;
  std::optional<LinkEvent> poll() override;
  std::string transport(PeerId peer) const override;
  LinkCounters counters() const override;

 private:
  struct Peer {
    ChannelId channel = 0;
    StagedAddress address;  // of a guest: only of the link below
    bool guest = false;     // nobody connected to it: it writes here, and is answered
    bool broken = false;
  };
  struct Closing {
    bool closed = false, told_closed = false, fenced = false;
  };

  const Peer& connected(PeerId peer) const;
  std::map<PeerId, Peer>::iterator usable_peer(ChannelId channel, const std::string& below);
  void copies_end();
  void progress();
  void end_closing();
  // What the link below reports; what is for the owner goes on to `events`.
  void on(Flushed event);
  void on(Received event);
  void on(Broken event);
  void on(Closed event) { closing_.at(event.channel).closed = true, sender_.closed(event.channel); }
  void on(Fenced event) { closing_.at(event.channel).fenced = true; }
  // A frame; false: refused.
  bool take(ChannelId channel, const SlotHello& hello);
  bool take(ChannelId channel, const SlotWant& want) { return receiver_.take(channel, want); }
  bool take(ChannelId channel, const SlotFilled& filled) { return receiver_.take(channel, filled); }
  bool take(ChannelId channel, const SlotGrant& grant) { return sender_.take(channel, grant); }
  bool take(ChannelId channel, const SlotLanded& landed) { return sender_.take(channel, landed); }

  const std::unique_ptr<KvLink> below_;
  StagedCommon common_;
  SlotSender sender_;
  SlotReceiver receiver_;
  const bool pinned_;
  std::map<PeerId, Peer> peers_;
  std::map<ChannelId, Closing> closing_;
};

StagedLink::StagedLink(std::unique_ptr<KvLink> below, const std::optional<Staging>& staging)
    : below_(std::move(below)),
      common_(common_of(*below_, staging)),
      sender_(common_),
      receiver_(common_),
      pinned_(staging && staging->device.pin(below_->memory())) {}

StagedLink::~StagedLink() {
  copies_end();
  if (pinned_) common_.device->unpin(below_->memory());
}

void StagedLink::copies_end() {
  if (!common_.device) return;
  try {
    for (const Mark last : {sender_.last_copy(), receiver_.last_copy()}) {
      while (!common_.device->reached(last)) {
      }
    }
  } catch (const Error&) {  // the device has failed, and copies nothing any more
  }
}

// ---- channels and peers

std::string StagedLink::address(ChannelId channel) const {
  return packed(StagedAddress{.below = below_->address(channel),
                              .memory_bytes = common_.memory.size(),
                              .n_slots = common_.receiving.n,
                              .slot_bytes = common_.receiving.bytes});
}

PeerId StagedLink::connect(ChannelId channel, const std::string& bytes) {
  StagedAddress address = staged_address_of(bytes);
  const auto known = usable_peer(channel, address.below);
  const bool was_guest = known != peers_.end() && std::exchange(known->second.guest, false);
  const PeerId id = was_guest ? known->first : below_->connect(channel, address.below);
  const uint64_t bytes_below = below_->memory_bytes(id);
  const bool has_slots = address.n_slots > 0;
  if (!has_slots) address.memory_bytes = bytes_below;
  if (address.n_slots < 0 ||
      (has_slots && (address.slot_bytes == 0 || address.slot_bytes > bytes_below / address.n_slots)))
    throw Error("the address of a link has more slots than memory");
  peers_[id] = {.channel = channel, .address = address};
  if (common_.device || has_slots) sender_.connect(id, channel, address);
  return id;
}

std::map<PeerId, StagedLink::Peer>::iterator StagedLink::usable_peer(ChannelId channel, const std::string& below) {
  return std::find_if(peers_.begin(), peers_.end(), [&](const auto& entry) {
    const Peer& peer = entry.second;
    return !peer.broken && peer.channel == channel && peer.address.below == below;
  });
}

const StagedLink::Peer& StagedLink::connected(PeerId peer) const {
  const auto found = peers_.find(peer);
  check(found != peers_.end() && !found->second.guest, "the peer is connected");
  return found->second;
}

void StagedLink::close(ChannelId channel) {
  below_->close(channel);
  std::erase_if(peers_, [channel](const auto& entry) { return entry.second.channel == channel; });
  std::erase_if(common_.events, [&](const LinkEvent& event) {
    const auto* flushed = std::get_if<Flushed>(&event);
    const auto* broken = std::get_if<Broken>(&event);
    const auto* received = std::get_if<Received>(&event);
    return (flushed && !peers_.contains(flushed->peer)) || (broken && !peers_.contains(broken->peer)) ||
           (received && received->channel == channel);
  });
  closing_[channel];
  sender_.close(channel);
  receiver_.close(channel);
}

// ---- what the owner posts

void StagedLink::put(PeerId peer, std::span<const Piece> pieces) {
  const Peer& to = connected(peer);
  if (!sender_.knows(peer)) return below_->put(peer, pieces);
  check_inside(pieces, common_.memory.size(), to.address.memory_bytes);
  sender_.put(peer, pieces);
}

void StagedLink::flush(PeerId peer, uint64_t tag) {
  connected(peer);
  if (!sender_.knows(peer)) return below_->flush(peer, tag);
  sender_.flush(peer, tag);
}

void StagedLink::send(PeerId peer, std::string_view message) {
  connected(peer);
  below_->send(peer, message);
}

std::string StagedLink::transport(PeerId peer) const {
  connected(peer);
  return below_->transport(peer) + (sender_.knows(peer) ? "+staged" : "");
}

LinkCounters StagedLink::counters() const {
  const LinkCounters below = below_->counters();
  LinkCounters here = common_.counters;
  here.bytes_put += below.bytes_put;
  here.pieces_put += below.pieces_put;
  here.messages_sent += below.messages_sent;
  here.messages_received += below.messages_received;
  here.messages_refused += below.messages_refused;
  return here;
}

// ---- progress

std::optional<LinkEvent> StagedLink::poll() {
  progress();
  // Frames are many: as many as may come in a row, while the owner gets nothing, are bounded.
  constexpr int kMostEventsInARow = 64;
  for (int i = 0; i < kMostEventsInARow && common_.events.empty(); ++i) {
    auto event = below_->poll();
    if (!event) break;
    std::visit([this](auto& e) { on(std::move(e)); }, *event);
    if (!closing_.empty()) end_closing();
  }
  if (common_.events.empty()) return std::nullopt;
  LinkEvent event = std::move(common_.events.front());
  common_.events.pop_front();
  return event;
}

void StagedLink::progress() {
  if (!receiver_.idle()) receiver_.progress();
  if (!sender_.idle()) sender_.progress();
  if (!closing_.empty()) end_closing();
}

// The link below is done with a channel; ours are the copies.
void StagedLink::end_closing() {
  for (auto& [channel, closing] : closing_) {
    if (!closing.closed || closing.told_closed || sender_.reads(channel)) continue;
    closing.told_closed = true;
    common_.events.emplace_back(Closed{.channel = channel});
  }
  std::erase_if(closing_, [this](const auto& entry) {
    const auto& [channel, closing] = entry;
    if (!closing.told_closed || !closing.fenced || receiver_.writes(channel)) return false;
    receiver_.fenced(channel);
    common_.events.emplace_back(Fenced{.channel = channel});
    return true;
  });
}

void StagedLink::on(Flushed event) {
  if (!sender_.knows(event.peer)) return common_.events.emplace_back(event), void();
  sender_.flushed(event.tag);
}

void StagedLink::on(Received event) {
  const auto frame = staged_frame_of(event.bytes);
  if (!frame) return common_.events.emplace_back(std::move(event)), void();
  --common_.counters.messages_received;
  if (!std::visit([&](const auto& f) { return take(event.channel, f); }, *frame)) common_.refuse();
}

void StagedLink::on(Broken event) {
  const auto peer = peers_.find(event.peer);
  if (peer == peers_.end()) return;
  peer->second.broken = true;
  sender_.broken(event.peer);
  receiver_.broken(event.peer);
  if (!peer->second.guest) common_.events.emplace_back(std::move(event));
}

bool StagedLink::take(ChannelId channel, const SlotHello& hello) {
  if (!receiver_.welcomes(channel, hello)) return false;
  const auto known = usable_peer(channel, hello.from);
  if (known != peers_.end()) return receiver_.take(channel, hello, known->first), true;
  try {
    const PeerId guest = below_->connect(channel, hello.from);
    peers_[guest] = {.channel = channel, .address = {.below = hello.from}, .guest = true};
    return receiver_.take(channel, hello, guest), true;
  } catch (const Error&) {  // that is no address
    return false;
  }
}

}  // namespace

uint64_t slot_bytes_for(size_t staging_bytes) {
  constexpr size_t kSlots = 64, kLeast = size_t{64} << 10, kMost = size_t{1} << 20, kPage = 4096;
  const size_t bytes = std::clamp(staging_bytes / kSlots / kPage * kPage, kLeast, kMost);
  if (staging_bytes < 2 * bytes) {
    throw Error(str("link.staging of ", staging_bytes, " bytes holds no slot each way: it takes ", 2 * bytes));
  }
  return bytes;
}

std::unique_ptr<KvLink> make_staged_link(std::unique_ptr<KvLink> below, std::optional<Staging> staging) {
  return std::make_unique<StagedLink>(std::move(below), staging);
}

}  // namespace ferry
