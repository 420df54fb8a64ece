#pragma once
// What `ferry up` shows on a terminal: its processes, what the router tells of the cluster, and the last lines of the
// log.

#include <deque>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launch/io/screen.h"

namespace ferry {

struct UpStatus {
  struct Part {
    std::string name;  // "router", or a group's
    std::string role;  // "prefill"; of the router: empty
    int tp = 0;        // of the router: 0
    bool runs = false;
    double for_ms = 0;     // it runs, or until it starts again
    int n_restarts = 0;    // so far
    std::string last_end;  // how it ended the last time; empty: it never did
  };
  std::vector<Part> parts;  // the router first
  std::string model, url;
  nlohmann::json cluster;         // as /debug/cluster answers; null: not known
  std::string why_not;            // that it is not
  std::deque<std::string> lines;  // the latest last
};

// Lines, each with its end; as many as fit. The log has what is left of the screen.
std::string up_view(const UpStatus& status, const Screen& screen);

}  // namespace ferry
