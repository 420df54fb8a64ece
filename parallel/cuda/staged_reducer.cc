#include "parallel/cuda/staged_reducer.h"

#include <algorithm>

namespace ferry {

// An upload may still read the staging when the next sum begins: the download of that waits for it.
void StagedReducer::all_reduce_sum(ReduceMethod, std::span<float> values) {
  for (size_t begin = 0; begin < values.size(); begin += staging_.n) {
    const std::span<float> part = values.subspan(begin, std::min(staging_.n, values.size() - begin));
    const std::span<float> here(staging_.values.get(), part.size());
    device_.download(here.data(), part.data(), part.size_bytes());
    host_.all_reduce_sum(here);
    device_.upload(part.data(), here.data(), part.size_bytes());
  }
}

}  // namespace ferry
