#pragma once
// A card of this machine, as its driver knows it.

#include <cstddef>
#include <string>

namespace ferry {

struct CudaCard {
  std::string name;  // "NVIDIA H100 80GB HBM3"
  std::string id;    // "GPU-…", the same for all who use it, however they number their cards
  std::string why_unusable;
  size_t free_bytes = 0;
  size_t total_bytes = 0;
};

}  // namespace ferry
