#pragma once
// A router, alone or with its groups, that a benchmark starts as a process, asks over HTTP, and stops.

#include <string>

#include "launch/config/cluster_config.h"
#include "launch/process/child.h"
#include "launch/process/process_usage.h"

namespace ferry {

class BenchServer {
 public:
  // `command`: "up" or "router"; `key`: of the API, where the YAML wants one. Error when it cannot be started.
  BenchServer(const std::string& command, const std::string& yaml, std::string key = {});

  void wait_until_ready();  // it serves; Error when it ends instead, or after a minute
  void turn();              // passes on what it prints; Error when it has ended
  const std::string& url() const { return url_; }
  ProcessUsage usage() const { return usage_of(child_.pid()); }

 private:
  const std::string url_, key_;
  std::string last_line_;
  Child child_;
};

// A port of this host that nobody listens on now.
int free_port();

}  // namespace ferry
