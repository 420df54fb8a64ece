#include "transport/staged/slot_receiver.h"

#include <algorithm>

namespace ferry {

namespace {
// Nobody makes us remember more lanes than this by saying hello again and again.
constexpr size_t kMostLanes = 4096;
}  // namespace

SlotReceiver::SlotReceiver(StagedCommon& link) : link_(link), slots_(link.receiving.n) {}

// ---- what writers say

bool SlotReceiver::welcomes(ChannelId channel, const SlotHello& hello) const {
  return lanes_.size() < kMostLanes && !lanes_.contains({channel, hello.lane}) && !slots_.empty() &&
         hello.n_wanted >= 0 && hello.n_wanted <= link_.receiving.n;
}

void SlotReceiver::take(ChannelId channel, const SlotHello& hello, PeerId back) {
  lanes_[{channel, hello.lane}] = {.back = back, .theirs = hello.peer, .n_wanted = hello.n_wanted};
  link_.send(back, SlotGrant{.peer = hello.peer, .slots = {}});
  grant();
}

bool SlotReceiver::take(ChannelId channel, const SlotWant& want) {
  const auto lane = lanes_.find({channel, want.lane});
  const int most = link_.receiving.n;
  if (lane == lanes_.end() || want.n < 0 || want.n > most || lane->second.n_wanted > most) return false;
  lane->second.n_wanted += want.n;
  grant();
  return true;
}

bool SlotReceiver::take(ChannelId channel, const SlotFilled& filled) {
  const LaneId id{channel, filled.lane};
  if (!lanes_.contains(id) || filled.slot < 0 || filled.slot >= link_.receiving.n || !fits(filled)) return false;
  Slot& slot = slots_[filled.slot];
  if (slot.holder != Holder::writer || slot.lane != id) return false;
  std::vector<DeviceCopy> copies;
  const std::byte* from = link_.below.memory().data() + link_.receiving.at(filled.slot);
  for (const SlotFilled::Place& place : filled.places) {
    std::byte* const to = link_.memory.data() + place.to;
    if (!copies.empty() && static_cast<std::byte*>(copies.back().to) + copies.back().n_bytes == to) {
      copies.back().n_bytes += place.bytes;
    } else {
      copies.push_back({.to = to, .from = from, .n_bytes = place.bytes});
    }
    from += place.bytes;
  }
  slot.holder = Holder::copy;
  copies_.push_back({.mark = link_.device->start_uploads(copies), .fill = filled.fill, .slot = filled.slot});
  return true;
}

// Every place is in the KV memory, and all of them in the slot. Compared without sums that could wrap around.
bool SlotReceiver::fits(const SlotFilled& filled) const {
  uint64_t room = link_.receiving.bytes;
  for (const SlotFilled::Place& place : filled.places) {
    const uint64_t memory_bytes = link_.memory.size();
    if (place.bytes > room || place.bytes > memory_bytes || place.to > memory_bytes - place.bytes) return false;
    room -= place.bytes;
  }
  return filled.places.size() <= kMostPlaces;
}

// ---- slots

// One to each lane that wants some, in turn, as long as there are any.
void SlotReceiver::grant() {
  const auto wanting = [this](const auto& entry) {
    return entry.second.n_wanted > 0 && free_slot_for(entry.first) >= 0;
  };
  std::map<LaneId, std::vector<int>> granted;
  for (;;) {
    auto lane = std::find_if(lanes_.upper_bound(last_granted_), lanes_.end(), wanting);
    if (lane == lanes_.end()) lane = std::find_if(lanes_.begin(), lanes_.end(), wanting);
    if (lane == lanes_.end()) break;
    const int slot = free_slot_for(lane->first);
    slots_[slot] = {.holder = Holder::writer, .lane = lane->first};
    --lane->second.n_wanted;
    last_granted_ = lane->first;
    granted[lane->first].push_back(slot);
  }
  for (auto& [id, slots] : granted) {
    const Lane& lane = lanes_.at(id);
    link_.send(lane.back, SlotGrant{.peer = lane.theirs, .slots = std::move(slots)});
  }
}

// As long as its channel has fewer than are free, so that no group gets those of all others, whatever it does with
// them; and one in any case, unless it is the last.
int SlotReceiver::free_slot_for(const LaneId& lane) const {
  int free = -1, n_free = 0, n_of_channel = 0, n_of_lane = 0;
  for (int slot = 0; slot < link_.receiving.n; ++slot) {
    const bool is_free = slots_[slot].holder == Holder::nobody;
    if (is_free) free = slot;
    n_free += is_free;
    n_of_channel += !is_free && slots_[slot].lane.first == lane.first;
    n_of_lane += !is_free && slots_[slot].lane == lane;
  }
  return n_of_channel < n_free || (n_of_lane == 0 && n_free > 1) ? free : -1;
}

void SlotReceiver::progress() {
  bool some = false;
  for (; !copies_.empty() && link_.device->reached(copies_.front().mark); copies_.pop_front()) {
    const Copy& copy = copies_.front();
    some = true;
    if (copy.dropped) continue;  // its slot comes back when the channel is fenced
    Slot& slot = slots_[copy.slot];
    slot.holder = Holder::nobody;
    const auto lane = lanes_.find(slot.lane);
    if (lane != lanes_.end())
      link_.send(lane->second.back, SlotLanded{.peer = lane->second.theirs, .fills = {copy.fill}});
  }
  if (some) grant();
}

// ---- ends

void SlotReceiver::broken(PeerId back) {
  std::erase_if(lanes_, [back](const auto& entry) { return entry.second.back == back; });
}

void SlotReceiver::close(ChannelId channel) {
  std::erase_if(lanes_, [channel](const auto& entry) { return entry.first.first == channel; });
  for (Copy& copy : copies_) copy.dropped |= slots_[copy.slot].lane.first == channel;
}

bool SlotReceiver::writes(ChannelId channel) const {
  return std::any_of(copies_.begin(), copies_.end(),
                     [&](const Copy& copy) { return slots_[copy.slot].lane.first == channel; });
}

void SlotReceiver::fenced(ChannelId channel) {
  bool some = false;
  for (Slot& slot : slots_) {
    if (slot.holder == Holder::nobody || slot.lane.first != channel) continue;
    slot = {};
    some = true;
  }
  if (some) grant();
}

}  // namespace ferry
