#pragma once
// What adding up over the ranks of a group costs, by each way that the group has.

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/seam/communicator.h"
#include "core/seam/device.h"

namespace ferry {

struct AllReduceWay {
  std::string name;
  std::function<void(std::span<float> values)> sum;  // of the device's memory
};

struct AllReduceTimes {
  std::vector<double> seconds;  // [repeats], of one sum each
  bool correct = false;
};

class AllReduceBench {
 public:
  // All ranks of the group make one and call the same functions. `device` has the memory that is added up.
  AllReduceBench(Communicator& group, Device& device) : group_(group), device_(device) {}

  // Sums of n values, in turns with nothing else.
  AllReduceTimes measure(const AllReduceWay& way, size_t n_values, int n_repeats);

  // Bytes that leave each rank in the best algorithms, for a sum of so many: what a network would have to carry.
  static double bytes_on_the_way(size_t n_bytes, int n_ranks) {
    return 2.0 * (n_ranks - 1) / n_ranks * static_cast<double>(n_bytes);
  }

 private:
  bool sums_right(const AllReduceWay& way, size_t n_values);
  double seconds_of(const AllReduceWay& way, std::span<float> values, int n_sums);

  Communicator& group_;
  Device& device_;
};

}  // namespace ferry
