#pragma once
// Ways to add up what the ranks of a group have in their cards' memory.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/seam/clock.h"

namespace ferry {

enum class ReduceMethod : uint8_t { one_shot, two_shot, nccl, staged, kLast = staged };

constexpr std::string_view name_of(ReduceMethod method) {
  return std::array<std::string_view, 4>{"one-shot", "two-shot", "NCCL", "through the host"}[static_cast<int>(method)];
}

class Reducer {
 public:
  virtual ~Reducer() = default;

  virtual std::vector<ReduceMethod> methods() const = 0;  // at least one
  virtual bool in_stream() const = 0;

  // As Communicator::all_reduce_sum, by one of the methods.
  virtual void all_reduce_sum(ReduceMethod method, std::span<float> values) = 0;

  // Called while this rank waits for its card, and before each sum; Error where a sum has failed.
  virtual void look() = 0;

  // The group has failed: what waits on the card stops waiting.
  virtual void give_up() noexcept = 0;
};

}  // namespace ferry
