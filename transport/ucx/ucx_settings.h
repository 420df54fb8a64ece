#pragma once
// What we tell UCX, and why.

#include <vector>

#include "transport/ucx/ucx_link.h"

namespace ferry {

// In the order of their precedence: a later setting of the same name replaces an earlier one.
std::vector<UcxOptions::Setting> ucx_settings(const UcxOptions& options);

}  // namespace ferry
