#pragma once
// A load on a server: each request of a plan at its time, whatever became of those before it, or as many at a time as
// there are clients.

#include <functional>
#include <string>
#include <vector>

#include "launch/bench/load_client.h"
#include "launch/bench/load_plan.h"

namespace ferry {

struct LoadRules {
  std::string url, key;                        // of the API; empty: none
  uint64_t seed = 1;                           // of prompts
  uint64_t first_name = 0;                     // requests are named by their `seed`, from this on
  int concurrency = 0;                         // clients, each with one request at a time; 0: as the plan says
  std::function<void(size_t n_done)> on_turn;  // now and then; what it throws ends the run
};

struct LoadResult {
  std::vector<StreamRecord> records;  // in the plan's order
  int most_open = 0;
};

// Runs in this thread, until all are answered or have failed.
LoadResult run_load(const LoadPlan& plan, const LoadRules& rules);

}  // namespace ferry
