#include "transport/staged/slot_sender.h"

#include <algorithm>
#include <utility>

#include "core/base/hash.h"
#include "transport/pieces.h"

namespace ferry {

SlotSender::SlotSender(StagedCommon& link) : link_(link) {
  for (int slot = link.sending.n; slot-- > 0;) free_.push_back(slot);
}

void SlotSender::connect(PeerId id, ChannelId channel, const StagedAddress& address) {
  Peer& peer = peers_[id];
  peer.channel = channel;
  peer.address = address;
}

void SlotSender::put(PeerId id, std::span<const Piece> pieces) {
  Peer& peer = peers_.at(id);
  if (peer.broken) return;
  for_each_joined(pieces, [&](const Piece& piece) {
    peer.pieces.push_back(piece);
    ++n_pieces_;
    ++link_.counters.pieces_put;
  });
  peer.bytes += bytes_of(pieces);
  link_.counters.bytes_put += bytes_of(pieces);
  want(id, peer);
}

void SlotSender::flush(PeerId id, uint64_t tag) {
  Peer& peer = peers_.at(id);
  if (peer.broken) return;
  // When nothing is in flight that would show that the peer is there, the link below is asked.
  const bool ask = peer.flushes.empty() && peer.pieces.empty() && peer.fills.empty();
  peer.flushes.push_back({.tag = tag, .n_pieces = peer.n_begun + peer.pieces.size(), .asked = ask});
  if (!ask) return;
  asked_of_[next_number_] = id;
  link_.below.flush(id, next_number_++);
}

// ---- slots of the peer's

uint64_t SlotSender::fill_bytes(const Peer& peer) const {
  uint64_t bytes = writes_slots(peer) ? peer.address.slot_bytes : link_.sending.bytes;
  return link_.device ? std::min(bytes, link_.sending.bytes) : bytes;
}

// Never more than will be filled: what is counted here is the least that it can take.
void SlotSender::want(PeerId id, Peer& peer) {
  if (!writes_slots(peer) || peer.pieces.empty() || (peer.greeted && !peer.heard)) return;
  const auto parts = [](uint64_t n, uint64_t of) { return (n + of - 1) / of; };
  const uint64_t n_fills = std::max(parts(peer.bytes, fill_bytes(peer)), parts(peer.pieces.size(), kMostPlaces));
  const int n_useful = static_cast<int>(std::min<uint64_t>(n_fills, peer.address.n_slots));
  const int n_more = n_useful - static_cast<int>(peer.granted.size()) - peer.n_wanted;
  if (n_more <= 0) return;
  peer.n_wanted += n_more;
  const std::string from = link_.below.address(peer.channel);
  const uint64_t lane = hash_of(from, static_cast<uint64_t>(id));
  if (!std::exchange(peer.greeted, true)) {
    link_.send(id, SlotHello{.from = from, .lane = lane, .peer = id, .n_wanted = n_more});
  } else {
    link_.send(id, SlotWant{.lane = lane, .n = n_more});
  }
}

bool SlotSender::take(ChannelId channel, const SlotGrant& grant) {
  const auto found = peers_.find(grant.peer);
  if (found == peers_.end() || found->second.channel != channel) return false;
  Peer& peer = found->second;
  peer.heard = true;
  for (const int slot : grant.slots) {
    if (slot < 0 || slot >= peer.address.n_slots || peer.n_wanted == 0) return false;
    --peer.n_wanted;
    peer.granted.push_back(slot);
  }
  if (!peer.broken) want(grant.peer, peer);
  return true;
}

// ---- fills

void SlotSender::progress() {
  for (auto& [id, peer] : peers_) end_copies(id, peer);
  // One of each peer at a time, so that they share our slots.
  for (bool some = n_pieces_ > 0; some;) {
    some = false;
    for (auto& [id, peer] : peers_) some |= begin_fill(id, peer);
  }
}

bool SlotSender::begin_fill(PeerId id, Peer& peer) {
  if (peer.pieces.empty() || (writes_slots(peer) && peer.granted.empty())) return false;
  if (link_.device && (free_.empty() || peer.n_slots >= std::max(1, link_.sending.n / 2))) return false;
  Fill fill = cut_fill(peer);
  if (link_.device) {
    fill.slot = free_.back();
    free_.pop_back();
    ++peer.n_slots;
    std::vector<DeviceCopy> copies;
    std::byte* to = link_.below.memory().data() + link_.sending.at(fill.slot);
    for (Piece& piece : fill.pieces) {
      copies.push_back({.to = to, .from = link_.memory.data() + piece.from, .n_bytes = piece.bytes});
      piece.from = static_cast<uint64_t>(to - link_.below.memory().data());
      to += piece.bytes;
    }
    fill.copy = last_copy_ = link_.device->start_downloads(copies);
  }
  const uint64_t number = next_number_++;
  ++n_fills_;
  Fill& begun = peer.fills[number] = std::move(fill);
  if (!link_.device) post(id, number, begun);
  want(id, peer);
  return true;
}

// As much as a fill may have, in order.
SlotSender::Fill SlotSender::cut_fill(Peer& peer) {
  Fill fill = {.first = peer.n_begun};
  uint64_t room = fill_bytes(peer), at = 0;
  if (writes_slots(peer)) {
    fill.their_slot = peer.granted.back();
    peer.granted.pop_back();
    at = static_cast<uint64_t>(fill.their_slot) * peer.address.slot_bytes;
  }
  while (!peer.pieces.empty() && room > 0 && fill.pieces.size() < kMostPlaces) {
    Piece& next = peer.pieces.front();
    const Piece part = {.from = next.from, .to = next.to, .bytes = std::min(next.bytes, room)};
    if (writes_slots(peer)) {
      fill.places.push_back({.to = part.to, .bytes = part.bytes});
      fill.pieces.push_back({.from = part.from, .to = at, .bytes = part.bytes});
      at += part.bytes;
    } else {
      fill.pieces.push_back(part);
    }
    room -= part.bytes;
    peer.bytes -= part.bytes;
    next = {.from = next.from + part.bytes, .to = next.to + part.bytes, .bytes = next.bytes - part.bytes};
    if (next.bytes > 0) break;
    peer.pieces.pop_front();
    ++peer.n_begun;
    --n_pieces_;
  }
  return fill;
}

void SlotSender::post(PeerId id, uint64_t number, Fill& fill) {
  const LinkCounters before = link_.below.counters();
  link_.below.put(id, fill.pieces);
  link_.below.flush(id, number);
  const LinkCounters after = link_.below.counters();
  link_.counters.bytes_put -= after.bytes_put - before.bytes_put;
  link_.counters.pieces_put -= after.pieces_put - before.pieces_put;
  fill.stage = Stage::put;
  asked_of_[number] = id;
}

void SlotSender::end_copies(PeerId id, Peer& peer) {
  if (peer.broken) return;
  for (auto& [number, fill] : peer.fills) {
    if (fill.stage != Stage::copied) continue;
    if (!link_.device->reached(fill.copy)) return;
    post(id, number, fill);
  }
}

void SlotSender::flushed(uint64_t tag) {
  const auto asked = asked_of_.extract(tag);
  if (asked.empty()) return;
  const PeerId id = asked.mapped();
  const auto found = peers_.find(id);
  if (found == peers_.end() || found->second.broken) return;
  Peer& peer = found->second;
  const auto of_fill = peer.fills.find(tag);
  if (of_fill == peer.fills.end()) {
    peer.flushes.front().asked = false;
    return answer_flushes(id, peer);
  }
  Fill& fill = of_fill->second;
  free_slot(peer, fill);
  if (writes_slots(peer)) {
    fill.stage = Stage::told;
    const uint64_t lane = hash_of(link_.below.address(peer.channel), static_cast<uint64_t>(id));
    link_.send(id, SlotFilled{.lane = lane, .fill = tag, .slot = fill.their_slot, .places = std::move(fill.places)});
    return;
  }
  peer.fills.erase(of_fill);
  --n_fills_;
  answer_flushes(id, peer);
}

bool SlotSender::take(ChannelId channel, const SlotLanded& landed) {
  const auto found = peers_.find(landed.peer);
  if (found == peers_.end() || found->second.channel != channel) return false;
  Peer& peer = found->second;
  for (const uint64_t number : landed.fills) {
    const auto fill = peer.fills.find(number);
    if (fill == peer.fills.end() || fill->second.stage != Stage::told) return false;
    peer.fills.erase(fill);
    --n_fills_;
  }
  if (!peer.broken) answer_flushes(landed.peer, peer);
  return true;
}

void SlotSender::free_slot(Peer& peer, Fill& fill) {
  if (fill.slot < 0) return;
  free_.push_back(std::exchange(fill.slot, -1));
  --peer.n_slots;
}

void SlotSender::answer_flushes(PeerId id, Peer& peer) {
  const uint64_t n_done = peer.fills.empty() ? peer.n_begun : peer.fills.begin()->second.first;
  while (!peer.flushes.empty() && !peer.flushes.front().asked && peer.flushes.front().n_pieces <= n_done) {
    link_.events.emplace_back(Flushed{.peer = id, .tag = peer.flushes.front().tag});
    peer.flushes.pop_front();
  }
}

// ---- ends

void SlotSender::broken(PeerId id) {
  const auto found = peers_.find(id);
  if (found == peers_.end()) return;
  Peer& peer = found->second;
  peer.broken = true;
  n_pieces_ -= peer.pieces.size();
  peer.pieces.clear();
  peer.flushes.clear();
}

void SlotSender::close(ChannelId channel) {
  Closed& closed = closed_[channel];
  for (auto peer = peers_.begin(); peer != peers_.end();) {
    if (peer->second.channel != channel) {
      ++peer;
      continue;
    }
    for (const auto& [number, fill] : peer->second.fills) {
      if (fill.slot >= 0) closed.slots.push_back(fill.slot);
      if (fill.copy.number > closed.copy.number) closed.copy = fill.copy;
    }
    std::erase_if(asked_of_, [id = peer->first](const auto& entry) { return entry.second == id; });
    n_fills_ -= peer->second.fills.size();
    n_pieces_ -= peer->second.pieces.size();
    peer = peers_.erase(peer);
  }
}

void SlotSender::closed(ChannelId channel) { closed_.at(channel).below = true; }

bool SlotSender::reads(ChannelId channel) {
  const auto closed = closed_.find(channel);
  if (closed == closed_.end()) return false;
  if (!closed->second.below || (link_.device && !link_.device->reached(closed->second.copy))) return true;
  free_.insert(free_.end(), closed->second.slots.begin(), closed->second.slots.end());
  closed_.erase(closed);
  return false;
}

}  // namespace ferry
