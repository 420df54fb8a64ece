#pragma once
// Memory of the host that KV of a device passes through, and what both directions of a staged link share.

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "core/seam/device.h"
#include "core/seam/kv_link.h"
#include "transport/staged/staged_frame.h"

namespace ferry {

// Slots of one size, one after the other in the memory of the link below.
struct SlotRow {
  uint64_t begin = 0;
  int n = 0;
  uint64_t bytes = 0;  // of each
  uint64_t at(int slot) const { return begin + static_cast<uint64_t>(slot) * bytes; }
};

struct StagedCommon {
  KvLink& below;
  Device* device = nullptr;     // nullptr: the KV memory is that of the link below, and has no slots
  std::span<std::byte> memory;  // KV
  SlotRow receiving, sending;

  std::deque<LinkEvent> events = {};
  LinkCounters counters = {};  // what happened here, less what the link below counts for it

  void send(PeerId peer, const StagedFrame& frame) {
    below.send(peer, packed(frame));
    --counters.messages_sent;
  }
  void refuse() { ++counters.messages_refused; }
};

}  // namespace ferry
