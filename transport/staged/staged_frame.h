#pragma once
// What the two ends of a path through slots say to each other, among the messages of their owners.
//
// A frame is sealed bytes of a kind of its own. A message of the owners is passed on as it is; that one should look
// like a frame by chance takes as much luck as a checksum of 64 bits that is wrong and not noticed.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/seam/kv_link.h"

namespace ferry {

// The writer names its end of the path by a number that it draws (`lane`), the owner of the slots is told which of the
// writer's peers it is (`peer`).
struct SlotHello {        // answered by SlotGrant, perhaps of nothing yet
  std::string from = {};  // the writer's channel, as an address of the link below
  uint64_t lane = 0;
  PeerId peer = 0;
  int n_wanted = 0;
  template <class A>
  void fields(A& a) {
    a(from, lane, peer, n_wanted);
  }
  bool operator==(const SlotHello&) const = default;
};
struct SlotWant {  // so many more than were granted or asked for
  uint64_t lane = 0;
  int n = 0;
  template <class A>
  void fields(A& a) {
    a(lane, n);
  }
  bool operator==(const SlotWant&) const = default;
};
struct SlotGrant {  // the peer's to write, once each
  PeerId peer = 0;
  std::vector<int> slots = {};
  template <class A>
  void fields(A& a) {
    a(peer, slots);
  }
  bool operator==(const SlotGrant&) const = default;
};
struct SlotFilled {  // the slot's bytes, in order, belong in these places
  struct Place {
    uint64_t to = 0;
    uint64_t bytes = 0;
    bool operator==(const Place&) const = default;
    template <class A>
    void fields(A& a) {
      a(to, bytes);
    }
  };
  uint64_t lane = 0;
  uint64_t fill = 0;
  int slot = 0;
  std::vector<Place> places = {};
  template <class A>
  void fields(A& a) {
    a(lane, fill, slot, places);
  }
  bool operator==(const SlotFilled&) const = default;
};
struct SlotLanded {  // everything of these fills is in its place
  PeerId peer = 0;
  std::vector<uint64_t> fills = {};
  template <class A>
  void fields(A& a) {
    a(peer, fills);
  }
  bool operator==(const SlotLanded&) const = default;
};
using StagedFrame = std::variant<SlotHello, SlotWant, SlotGrant, SlotFilled, SlotLanded>;

constexpr size_t kMostPlaces = 1024;    // in a fill
constexpr size_t kMaxFrame = 64 << 10;  // bytes

std::string packed(const StagedFrame& frame);
std::optional<StagedFrame> staged_frame_of(std::string_view bytes);  // nullopt: a message of the owners

}  // namespace ferry
