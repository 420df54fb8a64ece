#pragma once
// A group of cards as the contract suite wants it.

#include <vector>

#include "core/seam/communicator.h"
#include "core/seam/device.h"

namespace ferry {

// The contract's sums are of the process's memory: they go to the card and back.
class ThroughACard final : public Communicator {
 public:
  ThroughACard(Communicator& cards, Device& card) : cards_(cards), card_(card) {}
  int rank() const override { return cards_.rank(); }
  int size() const override { return cards_.size(); }
  void all_reduce_sum(std::span<float> values) override {
    const DeviceArray<float> there(card_, std::vector<float>(values.begin(), values.end()));
    cards_.all_reduce_sum({there.data(), there.size()});
    if (!values.empty()) card_.download(values.data(), there.data(), values.size_bytes());
  }
  bool in_stream() const override { return cards_.in_stream(); }
  void gather(std::span<const float> mine, std::span<float> all) override { cards_.gather(mine, all); }
  std::vector<std::string> gather_bytes(const std::string& mine) override { return cards_.gather_bytes(mine); }
  void broadcast(std::string& bytes, const std::function<void()>& idle) override { cards_.broadcast(bytes, idle); }

 private:
  Communicator& cards_;
  Device& card_;
};

}  // namespace ferry
