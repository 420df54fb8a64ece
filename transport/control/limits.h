#pragma once
// What a control stream bears. Both implementations keep to it, so that a message that fits one fits the other.

#include <cstddef>

namespace ferry {

constexpr size_t kMaxMessageBytes = 16 << 20;  // a larger one closes its stream
constexpr size_t kMaxUnsentBytes = 64 << 20;   // a peer that is behind by this loses its stream
constexpr size_t kMaxUnreadBytes = 64 << 20;   // an owner that is behind by this lets its peers wait

// Small messages, and events without bytes, cost memory too.
constexpr size_t kEventBytes = 64;

}  // namespace ferry
