#pragma once
// What this program is and what it was built with.

#include <string>

namespace ferry {

std::string version();        // "0.1.0"
std::string build_summary();  // "UCX 1.13.1, Open MPI 4.1.4, CUDA 13.0"

}  // namespace ferry
