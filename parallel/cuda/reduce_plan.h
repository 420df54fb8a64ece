#pragma once
// Which way a sum takes, by its size: what was fastest when the group started.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "parallel/cuda/reducer.h"

namespace ferry {

struct ReduceTiming {
  ReduceMethod method = ReduceMethod::staged;
  size_t n_bytes = 0;
  double seconds = 0;  // of one sum
};

struct ReduceChoice {
  ReduceMethod method = ReduceMethod::staged;
  uint64_t up_to_bytes = UINT64_MAX;

  bool operator==(const ReduceChoice&) const = default;
  template <class A>
  void fields(A& a) {
    a(method, up_to_bytes);
  }
};

struct ReducePlan {
  std::vector<ReduceChoice> choices;  // ascending; the last is for all that is larger

  ReduceMethod method_for(size_t n_bytes) const;
  std::string text() const;  // "one-shot up to 64 KiB, NCCL above"

  bool operator==(const ReducePlan&) const = default;
  template <class A>
  void fields(A& a) {
    a(choices);
  }
};

// The fastest method of each size that was timed; there is at least one timing.
ReducePlan plan_of(const std::vector<ReduceTiming>& timings);

}  // namespace ferry
