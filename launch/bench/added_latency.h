#pragma once
// How long a token took from the engine that said it to the client that read it, where both are in one process and each
// token is one byte of text: a stub's. That is what a router adds to the same engine without one.

#include <vector>

#include "launch/bench/stream_record.h"
#include "launch/bench/stub_engine.h"

namespace ferry {

// In milliseconds, for each token of each record; `first_name` as the load was run with.
std::vector<double> added_ms(const std::vector<StreamRecord>& records, uint64_t first_name,
                             const StubEngine::Said& said);

}  // namespace ferry
