#include "parallel/cuda/staged_reducer.h"

#include <algorithm>

namespace ferry {

StagedReducer::StagedReducer(Communicator& host, Device& device, size_t n_staged)
    : host_(host), device_(device), staging_(n_staged), pinned_(device.pin(bytes())) {}

StagedReducer::~StagedReducer() {
  if (pinned_) device_.unpin(bytes());
}

// An upload of pinned memory may still read it when the next sum begins: the download of that waits for it.
void StagedReducer::all_reduce_sum(ReduceMethod, std::span<float> values) {
  for (size_t begin = 0; begin < values.size(); begin += staging_.size()) {
    const std::span<float> part = values.subspan(begin, std::min(staging_.size(), values.size() - begin));
    device_.download(staging_.data(), part.data(), part.size_bytes());
    host_.all_reduce_sum(std::span(staging_).first(part.size()));
    device_.upload(part.data(), staging_.data(), part.size_bytes());
  }
}

}  // namespace ferry
