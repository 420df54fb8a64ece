#pragma once
// What a peer needs to connect to a channel of a staged link: the channel of the link below, and whether this rank's KV
// memory is written directly or by way of slots.

#include <cstdint>
#include <string>

namespace ferry {

struct StagedAddress {
  std::string below = {};     // of the link below
  uint64_t memory_bytes = 0;  // of KV memory
  int n_slots = 0;            // at the beginning of the memory of the link below; 0: that is the KV memory
  uint64_t slot_bytes = 0;

  template <class A>
  void fields(A& a) {
    a(below, memory_bytes, n_slots, slot_bytes);
  }
  bool operator==(const StagedAddress&) const = default;
};

std::string packed(const StagedAddress& address);
StagedAddress staged_address_of(const std::string& bytes);  // Error when they are none

}  // namespace ferry
