#pragma once
// A cluster that a benchmark starts, sends single prompts through, and stops: a router in this process, each group as
// an mpirun job of its own.

#include <memory>
#include <string>
#include <vector>

#include "core/model/model_file.h"
#include "core/router/router.h"
#include "launch/config/cluster_config.h"
#include "launch/process/groups.h"
#include "launch/runtime/router_service.h"
#include "transport/control/grpc_control.h"

namespace ferry {

class BenchCluster {
 public:
  // The groups of the YAML, with overrides, or only one of them. Ready when the constructor returns; Error when a group
  // ends instead.
  BenchCluster(const std::string& yaml, const Overrides& overrides, const ModelFile& file,
               const std::string& only = {});
  ~BenchCluster();
  BenchCluster(const BenchCluster&) = delete;
  BenchCluster& operator=(const BenchCluster&) = delete;

  // What it took to answer a prompt of n made-up tokens with one; Error when it fails.
  Account answer(int n_tokens);
  PairReport path() const { return router_.paths().at(0); }

 private:
  void turn();

  const ClusterConfig config_;
  const int n_vocab_;
  std::unique_ptr<Clock> clock_;
  ControlServer server_;
  Router router_;
  RouterService service_;
  GroupProcesses processes_;
  RequestId next_id_ = 1;
};

}  // namespace ferry
