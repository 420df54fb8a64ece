#pragma once
// Which collective a rank is in: compared between ranks, so that a group whose ranks do different things notices.

#include <cstdint>

namespace ferry {

enum class Collective : uint32_t { kAllReduceSum = 1, kGather, kGatherBytes, kBroadcast };

inline const char* name_of(Collective collective) {
  switch (collective) {
    case Collective::kAllReduceSum:
      return "all_reduce_sum";
    case Collective::kGather:
      return "gather";
    case Collective::kGatherBytes:
      return "gather_bytes";
    case Collective::kBroadcast:
      return "broadcast";
  }
  return "no collective";
}

}  // namespace ferry
