#pragma once
// The receiving end of paths through slots: grants slots to those who ask, copies what they were filled with to its
// places in the device's memory, says so, and has the slots back.
//
// A slot that was granted can be written until its channel is fenced, whatever becomes of the peer: only then it is
// granted again if it did not come back. So nobody gets all of them.

#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "transport/staged/staging.h"

namespace ferry {

class SlotReceiver {
 public:
  explicit SlotReceiver(StagedCommon& link);  // which outlives it

  // Whether to find a way back to who says hello; then take it. `back`: a peer of this channel.
  bool welcomes(ChannelId channel, const SlotHello& hello) const;
  void take(ChannelId channel, const SlotHello& hello, PeerId back);
  // What else writers say; false: it makes no sense, or they may not.
  bool take(ChannelId channel, const SlotWant& want);
  bool take(ChannelId channel, const SlotFilled& filled);

  void broken(PeerId back);
  void close(ChannelId channel);         // what comes through it is not taken any more
  bool writes(ChannelId channel) const;  // a copy of what came through it is not done
  void fenced(ChannelId channel);        // nobody writes its slots any more
  bool idle() const { return copies_.empty(); }

  void progress();
  Mark last_copy() const { return copies_.empty() ? Mark{} : copies_.back().mark; }

 private:
  using LaneId = std::pair<ChannelId, uint64_t>;
  enum class Holder : uint8_t { nobody, writer, copy };
  struct Slot {
    Holder holder = Holder::nobody;
    LaneId lane;  // to which it was granted
  };
  struct Lane {
    PeerId back = 0;
    PeerId theirs = 0;  // what the writer calls us
    int n_wanted = 0;
  };
  struct Copy {
    Mark mark;
    uint64_t fill = 0;
    int slot = 0;
    bool dropped = false;  // nobody waits for it
  };

  void grant();
  int free_slot_for(const LaneId& lane) const;  // -1: none
  bool fits(const SlotFilled& filled) const;

  StagedCommon& link_;
  std::vector<Slot> slots_;
  std::map<LaneId, Lane> lanes_;
  LaneId last_granted_;      // so that lanes take turns
  std::deque<Copy> copies_;  // in order
};

}  // namespace ferry
