#pragma once
// KvLink over the simulated network, as weak as the seam allows: puts land one by one, in any order, when they arrive,
// with the bytes that lie in the sender's memory then; messages overtake them and each other.

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/fabric.h"

namespace ferry::sim {

class SimLink final : public KvLink {
 public:
  struct Size {
    size_t kv_bytes = 0;     // what lies there matters
    size_t probe_bytes = 0;  // what lies behind it does not, and is never written
  };
  // Both outlive the link.
  SimLink(Fabric& fabric, Process& process, int serial, Size size);
  ~SimLink() override;

  std::span<std::byte> memory() override { return memory_; }
  ChannelId open() override;
  std::string address(ChannelId channel) const override;
  PeerId connect(ChannelId channel, const std::string& address) override;
  void close(ChannelId channel) override;
  uint64_t memory_bytes(PeerId peer) const override;
  void put(PeerId peer, std::span<const Piece> pieces) override;
  void flush(PeerId peer, uint64_t tag) override;
  void send(PeerId peer, std::string_view message) override;
  std::optional<LinkEvent> poll() override;
  std::string transport(PeerId peer) const override;
  LinkCounters counters() const override { return counters_; }

  static ChannelId channel_at(const std::string& address);

  std::function<void()> on_event = [] {};                                              // there is something to poll
  std::function<void(ChannelId, const Piece&)> on_landing = [](auto, const auto&) {};  // before it is written

  // The fabric's side.
  struct Channel {
    bool open = true;
    bool told_closed = false, told_fenced = false;
    std::vector<Connection*> out;  // of this link
    std::vector<Connection*> in;   // of others
  };
  Process& process() { return process_; }
  const Process& process() const { return process_; }
  std::vector<Channel>& channels() { return channels_; }
  void tell(LinkEvent event);
  std::span<std::byte> kv() const { return memory_.first(size_.kv_bytes); }

 private:
  Connection& open_peer(PeerId peer) const;

  Fabric& fabric_;
  Process& process_;
  const int serial_;
  const Size size_;
  const std::span<std::byte> memory_;
  std::deque<LinkEvent> events_;
  std::vector<Channel> channels_;   // by id
  std::vector<Connection*> peers_;  // by id
  LinkCounters counters_;
};

}  // namespace ferry::sim
