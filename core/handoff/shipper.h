#pragma once
// One rank's end of the wire: channels to other groups, puts of this rank's part of the KV into their pages as layers
// are done, word to their leader when everything has landed. It does what the leader's steps order, and decides
// nothing.
//
// A layer that was launched is not done: its bytes wait for the mark behind it. While somebody waits for the device,
// the shipper goes on.

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "core/base/milestones.h"
#include "core/engine/step.h"
#include "core/handoff/page_sums.h"
#include "core/handoff/path_probe.h"
#include "core/handoff/send_queue.h"
#include "core/kv/reshard_plan.h"
#include "core/seam/clock.h"
#include "core/seam/device.h"
#include "core/seam/kv_link.h"

namespace ferry {

struct PeerMessage {
  GroupId from = 0;
  wire::LinkMessage message;
};

// Where a rank's KV is, and how it gets to others.
struct KvPlace {
  KvLink& link;
  Device& device;  // whose memory the link's is
};

class Shipper {
 public:
  // layouts: of the ranks of this group. The link has kProbeBytes more than this rank's layout; it, its device and
  // `clock` outlive the shipper.
  Shipper(int rank, std::vector<KvLayout> layouts, const KvPlace& kv, const Clock& clock, Milestones milestones = {});
  ~Shipper();
  Shipper(const Shipper&) = delete;
  Shipper& operator=(const Shipper&) = delete;

  void open(GroupId group);
  void connect(const ConnectOrder& order);
  void close(GroupId group);

  // The layer was launched. `pages`: of the sequence, on this side.
  void ship_layer(const ShipOrder& order, int layer, std::span<const int> pages);
  void computed() { computed_ = clock_.now(); }  // the step is; what has not landed is exposed from now on
  void finish(const ShipOrder& order);           // everything was shipped; Landed follows when it has landed
  void give_up(const GiveUpOrder& order);
  void verify(const VerifyOrder& order);

  void send_to_leader(GroupId group, const wire::LinkMessage& message);

  // Drives the network.
  void progress();
  // Something is not in its pages yet, or not summed.
  bool busy() const { return !flights_.empty() || !launched_.empty() || !sums_.idle(); }

  // What happened since the last call.
  std::vector<PeerMessage> take_messages();  // from ranks of other groups; only a leader gets any
  StepReceipt take_receipt();                // of no step yet
  uint64_t n_refused_messages() const;       // bytes that are no message

 private:
  struct PeerRank {
    PeerId id = 0;
    PathProbe probe;
    SendQueue queue;
  };
  struct Peer {
    ChannelId channel = 0;
    wire::GroupInfo info;
    bool send = false;
    std::vector<Transfer> transfers;  // that this rank sends, or gets
    std::map<int, PeerRank> ranks;    // connected ones
    bool measured = false;            // every probe is over, and told
  };
  struct Shipment {
    GroupId group = 0;
    int n_loads = 0;  // launched, queued or in flight; and sums that are not made yet
    uint64_t bytes = 0;
    std::map<int, uint64_t> sums;  // by destination rank
    bool finishing = false;
    bool complete = true;
    Instant computed;
  };
  struct Launched {  // waits for the device
    Mark mark;
    GroupId group = 0;
    int rank = 0;  // of the group, that it goes to
    Load load;
    wire::Verify verify = wire::Verify::off;
    KvPart part;             // to be summed
    std::vector<int> pages;  // where it lies
  };
  struct Verifying {
    int n_sums = 0;  // not made yet
    std::string mismatch;
  };
  struct Flight {  // a flush that is not answered
    GroupId group = 0;
    int rank = 0;
    bool probe = false;
    wire::TicketName ticket;  // unless a probe
    uint64_t bytes = 0;
    Instant posted;
  };

  bool connect_rank(Peer& peer, int rank, const std::string& address);
  void fail(GroupId group, std::string why);
  void post_probe(GroupId group, int rank);
  void sum(const Launched& launched);
  void summed(const wire::Attempt& attempt, const std::string& mismatch);
  void queue_computed();
  void post_loads(GroupId group, int rank);
  void fly(PeerId peer, std::span<const Piece> pieces, Flight flight);
  void tell_measured();
  void end_if_landed(const wire::TicketName& ticket);
  void handle(const Flushed& event);
  void handle(const Received& event);
  void handle(const Broken& event);
  void handle(const Closed& event);
  void handle(const Fenced& event);

  const int rank_;
  const std::vector<KvLayout> layouts_;
  KvLink& link_;
  Device& device_;
  const Clock& clock_;
  const Milestones milestones_;  // for tests
  PageSums sums_;

  Instant computed_;  // the last step
  std::map<GroupId, Peer> peers_;
  std::map<ChannelId, GroupId> closing_;  // until Closed
  std::map<ChannelId, GroupId> fencing_;  // until Fenced
  std::map<wire::TicketName, Shipment> shipments_;
  std::deque<Launched> launched_;       // by mark
  std::map<uint64_t, Flight> flights_;  // by tag
  std::map<wire::Attempt, Verifying> verifying_;
  uint64_t next_tag_ = 0;

  std::vector<PeerMessage> messages_;
  StepReceipt receipt_;
  uint64_t n_refused_messages_ = 0;
};

}  // namespace ferry
