#pragma once
// The router and the groups of a cluster as processes: each is started, and started again when it ends.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "launch/config/cluster_config.h"
#include "launch/process/back_off.h"
#include "launch/process/groups.h"

namespace ferry {

class Deployment {
 public:
  using Sink = std::function<void(std::string_view line)>;

  // What the processes print goes to `sink`, with their names. `config`, which is that of `yaml`, outlives it.
  Deployment(std::string yaml, const ClusterConfig& config, Sink sink);

  void turn();  // passes on what was printed, and starts what is due; to be called often
  void stop();  // within five seconds

  // How the router is, or a group.
  struct Part {
    bool runs = false;
    Instant since;         // it runs, or does not
    Instant again;         // it will be started, when it does not run
    int n_starts = 0;      // so far
    std::string last_end;  // how it ended the last time; empty: it never did
  };
  const Part& router() const { return router_.part; }
  const Part& group(const std::string& name) const { return groups_.at(name).part; }

 private:
  struct Supervised {
    Part part;
    BackOff back_off;

    void started(Instant at);
    void ended(Instant at, const ProcessExit& exit);
    bool is_due(Instant at) const { return !part.runs && at >= part.again; }
  };
  void start_router();
  void start(const GroupConfig& group);
  // Says when it starts again. One that ends at once, and with a message that says why, will do so again: a port that
  // is taken, say.
  void ended(Supervised& which, const std::string& name, const ProcessExit& exit);

  const std::string yaml_;
  const ClusterConfig& config_;
  const Sink sink_;
  GroupProcesses group_processes_;
  std::unique_ptr<Child> router_process_;
  Supervised router_;
  std::map<std::string, Supervised> groups_;  // by name
};

}  // namespace ferry
