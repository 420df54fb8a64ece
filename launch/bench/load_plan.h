#pragma once
// What a load test asks for, and when: made up from a rate and a seed, or read from a trace of real use.

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <vector>

#include "core/seam/clock.h"

namespace ferry {

struct PlannedRequest {
  Duration at{};  // after the run's beginning
  int n_prompt_tokens = 1;
  int n_tokens = 1;              // of the answer
  std::vector<uint64_t> blocks;  // what the prompt is made of, block by block: equal ones are equal text. Empty: unique
  int block_tokens = 1;          // of each
  bool operator==(const PlannedRequest&) const = default;
};

using LoadPlan = std::vector<PlannedRequest>;

// Requests of one shape that arrive independently of each other, as those of many users do (a Poisson process).
// Rate 0: all at once, for a run that keeps a number of them open.
LoadPlan poisson_plan(int n_requests, double rate_per_s, const PlannedRequest& shape, uint64_t seed);

struct TraceScale {
  double lengths = 1;  // of prompts and answers
  double pace = 1;     // 2: twice as fast
  int max_requests = 1 << 20;
};

// Azure's CSV (TIMESTAMP,ContextTokens,GeneratedTokens) or Mooncake's JSON lines (timestamp, input_length,
// output_length, hash_ids), told apart by their first byte. Error with the line that is neither.
LoadPlan read_trace(std::istream& in, const std::string& name, const TraceScale& scale);

// The prompt of a request: ids that every vocabulary has, the same for the same seed, index and blocks.
std::vector<int> prompt_of(const PlannedRequest& request, uint64_t seed, size_t index);

}  // namespace ferry
