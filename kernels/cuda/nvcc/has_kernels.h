#pragma once

namespace ferry::cuda {

// Whether the card in use can run what this build has compiled: some kernel is as good as all.
bool has_kernels();

}  // namespace ferry::cuda
