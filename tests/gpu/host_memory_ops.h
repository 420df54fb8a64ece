#pragma once
// Ops of a card for the contract suites, which keep their arrays in this process's memory: each operation gets copies
// of what it reads and writes, allocated one by one and exactly as large, so that compute-sanitizer finds what is
// beyond.

#include <memory>

#include "core/seam/ops.h"

namespace ferry {

std::unique_ptr<Ops> make_host_memory_ops(std::unique_ptr<Ops> card);

}  // namespace ferry
