#pragma once
// The sending end of paths through slots: from a device's memory into slots of our own, from there (or from the memory
// of this process) into a slot of the peer's, or straight into its memory where that takes puts.
//
// Each piece goes on as soon as the step before is done and there is a slot for the next; nothing waits. A slot of the
// peer's is asked for when there is something to put into it, so nobody sits on slots that others need; ours is taken
// when the peer's is granted, so a peer that is slow holds no more than its share of them.

#include <deque>
#include <map>
#include <vector>

#include "transport/staged/staged_address.h"
#include "transport/staged/staging.h"

namespace ferry {

class SlotSender {
 public:
  explicit SlotSender(StagedCommon& link);  // which outlives it

  void connect(PeerId peer, ChannelId channel, const StagedAddress& address);
  bool knows(PeerId peer) const { return peers_.contains(peer); }

  // Pieces are inside of both memories, and stay as they are until they are flushed.
  void put(PeerId peer, std::span<const Piece> pieces);
  void flush(PeerId peer, uint64_t tag);

  // What the link below, or the peer, says. False: that is not of a path of this channel.
  void flushed(uint64_t tag);
  void broken(PeerId peer);
  bool take(ChannelId channel, const SlotGrant& grant);
  bool take(ChannelId channel, const SlotLanded& landed);

  void close(ChannelId channel);   // nothing follows
  void closed(ChannelId channel);  // the link below reads nothing for it any more
  bool reads(ChannelId channel);   // a copy of a closed channel still does
  bool idle() const { return n_fills_ == 0 && n_pieces_ == 0; }

  void progress();
  Mark last_copy() const { return last_copy_; }

 private:
  enum class Stage : uint8_t { copied, put, told };
  struct Fill {
    Stage stage = Stage::copied;
    uint64_t first = 0;  // piece that it has bytes of, of those that were put to the peer
    int slot = -1;       // of ours
    int their_slot = -1;
    Mark copy;
    std::vector<Piece> pieces;  // from the memory of the link below, to the peer's
    std::vector<SlotFilled::Place> places;
  };
  struct Flush {
    uint64_t tag = 0;
    uint64_t n_pieces = 0;  // put before it
    bool asked = false;     // the link below, which has not answered
  };
  struct Peer {
    ChannelId channel = 0;
    StagedAddress address;
    bool broken = false;
    std::deque<Piece> pieces;  // to be put; the first may be what is left of one
    uint64_t bytes = 0;        // of them
    uint64_t n_begun = 0;      // pieces before the first of them
    std::deque<Flush> flushes;
    std::map<uint64_t, Fill> fills;  // by number, so by piece
    std::vector<int> granted;
    int n_wanted = 0;
    int n_slots = 0;  // of ours
    bool greeted = false, heard = false;
  };
  struct Closed {
    std::vector<int> slots;  // of ours, that the link below may read
    Mark copy;
    bool below = false;  // the link below is done
  };

  bool writes_slots(const Peer& peer) const { return peer.address.n_slots > 0; }
  uint64_t fill_bytes(const Peer& peer) const;
  void want(PeerId id, Peer& peer);
  bool begin_fill(PeerId id, Peer& peer);
  Fill cut_fill(Peer& peer);
  void post(PeerId id, uint64_t number, Fill& fill);
  void end_copies(PeerId id, Peer& peer);
  void free_slot(Peer& peer, Fill& fill);
  void answer_flushes(PeerId id, Peer& peer);

  StagedCommon& link_;
  std::map<PeerId, Peer> peers_;
  std::map<ChannelId, Closed> closed_;
  std::vector<int> free_;                // slots of ours
  std::map<uint64_t, PeerId> asked_of_;  // by tag of the link below
  uint64_t next_number_ = 0;             // of fills, and of flushes that are asked
  uint64_t n_pieces_ = 0;                // of all peers, to be put
  uint64_t n_fills_ = 0;                 // of all peers
  Mark last_copy_;
};

}  // namespace ferry
