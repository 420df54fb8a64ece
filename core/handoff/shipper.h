#pragma once
// One rank's end of the wire: connects to the ranks of other groups, puts this rank's part of the KV into their pages
// as layers are done, and tells their leader when everything has landed. It does what the leader's steps order, and
// decides nothing.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/engine/step.h"
#include "core/kv/reshard_plan.h"
#include "core/seam/clock.h"
#include "core/seam/kv_link.h"

namespace ferry {

class Shipper {
 public:
  // layouts: of the ranks of this group. `link` and `clock` outlive the shipper.
  Shipper(wire::GroupKey group, int rank, std::vector<KvLayout> layouts, KvLink& link, const Clock& clock);

  void connect(const ConnectOrder& order);
  void disconnect(GroupId group);

  // `pages`: of the sequence, on this side.
  void ship_layer(const ShipOrder& order, int layer, std::span<const int> pages);
  void finish(const ShipOrder& order);  // everything was shipped; Landed follows when it has landed
  void give_up(const GiveUpOrder& order);

  void send_to_leader(GroupId group, const wire::LinkMessage& message);

  // Drives the network.
  void progress();

  // What happened since the last call.
  std::vector<wire::LinkMessage> take_messages();  // from ranks of other groups; only a leader gets any
  std::vector<wire::Attempt> take_drained();       // shipments given up or finished, with nothing in flight any more
  std::vector<GroupFailure> take_failures();
  uint64_t n_refused_messages() const { return n_refused_messages_; }  // bytes that are no message

 private:
  struct Peer {
    wire::GroupInfo info;
    std::vector<Transfer> transfers;  // that this rank sends
    std::map<int, PeerId> ranks;      // connected ones
    std::set<int> not_warm;           // ranks whose first flush is not back
  };
  struct Shipment {
    GroupId group = 0;
    uint64_t bytes = 0;
    std::set<int> touched;       // ranks that were put to
    std::set<uint64_t> flushes;  // in flight
    bool finishing = false;
    bool complete = true;
    Instant computed;
  };

  void flush_all(const wire::Attempt& attempt, Shipment& shipment);
  void end_if_landed(const wire::Attempt& attempt);
  void handle(const Flushed& event);
  void handle(const Received& event);
  void handle(const Broken& event);
  void greet_if_warm(GroupId group, Peer& peer);
  std::string transport_to(const Peer& peer) const;

  const wire::GroupKey group_;
  const int rank_;
  const std::vector<KvLayout> layouts_;
  KvLink& link_;
  const Clock& clock_;

  std::map<GroupId, Peer> peers_;
  std::map<wire::Attempt, Shipment> shipments_;
  std::map<uint64_t, wire::Attempt> flushed_for_;              // by tag
  std::map<uint64_t, std::pair<GroupId, int>> warmed_up_for_;  // by tag
  uint64_t next_tag_ = 0;
  std::vector<Piece> pieces_;  // scratch

  std::vector<wire::LinkMessage> messages_;
  std::vector<wire::Attempt> drained_;
  std::vector<GroupFailure> failures_;
  uint64_t n_refused_messages_ = 0;
};

}  // namespace ferry
