#pragma once
// What each rank says, on every rank.

#include <string>
#include <vector>

#include "core/seam/communicator.h"

namespace ferry {

std::vector<std::string> shared_bytes(Communicator& group, const std::string& mine);  // [size], in rank order

// Every rank has to have something, or none uses it: what the first rank that has not says ("rank 1: …"), on every
// rank; empty where all have it.
std::string shared_reason(Communicator& group, const std::string& mine);

}  // namespace ferry
