#pragma once
// KV in the memory of a device over a link that reaches only memory of the process: by way of slots, pinned memory that
// the link below allocates. A rank that computes on its CPU has this around its link as well, so that it can write to
// ranks that have slots; between two such ranks every call is the link's below, and costs what it costs there.
//
//   from            to              how
//   this process    this process    put
//   this process    device          put into a slot of the peer's, which copies it to its place
//   device          this process    copied into a slot of our own, put from there
//   device          device          both
//
// A rank's address says whether its memory takes puts. Slots of the peer's are granted for what there is to put
// (SlotSender, SlotReceiver); nothing waits, poll() drives it all. Flushed means that the bytes are in the device's
// memory, Closed that no copy reads it, Fenced that none writes it.
//
// What peers say about slots is not trusted: it names places inside the KV memory and a slot that was granted to who
// speaks, or it is refused and counted. It can have any bytes of the KV memory written, as whoever may put over a link
// can: tickets say which pages a peer should write, checksums whether it did, a channel is what keeps it out.

#include <memory>
#include <optional>
#include <span>

#include "core/seam/device.h"
#include "core/seam/kv_link.h"

namespace ferry {

struct Staging {
  Device& device;
  std::span<std::byte> memory;  // KV, of the device
  uint64_t slot_bytes = 0;      // half of the slots are for what comes in, half for what goes out
};

// Of `staging_bytes`: so many slots that copies and puts overlap, so large that each is worth its messages. Error when
// that makes no slot each way.
uint64_t slot_bytes_for(size_t staging_bytes);

// `staging`: the memory of `below` is slots, and the KV memory is the device's. Both outlive the link.
std::unique_ptr<KvLink> make_staged_link(std::unique_ptr<KvLink> below, std::optional<Staging> staging = {});

}  // namespace ferry
