#pragma once
// The router of a cluster with what it needs to be one: the model's text side, the streams of the leaders, and what it
// has to report. Whoever has requests — a list of prompts, HTTP clients — drives it turn by turn.

#include <set>
#include <string>
#include <utility>

#include "core/model/model_file.h"
#include "launch/config/cluster_config.h"
#include "launch/front/text_model.h"
#include "launch/runtime/compose.h"
#include "launch/runtime/router_service.h"

namespace ferry {

class ClusterRouter {
 public:
  // Both outlive it.
  ClusterRouter(const ClusterConfig& config, ControlStream& leaders);

  // Takes what leaders say, for at most `patience` when they say nothing, and sends what the router says.
  void turn(Duration patience) { service_.turn(patience); }
  void send() { service_.send(); }
  void report_news();  // to the log: paths that came and went, refusals

  const ClusterConfig& config() const { return config_; }
  const Clock& clock() const { return clock_; }
  const TextModel& text() const { return text_; }
  const ModelFile& file() const { return file_; }
  Router& router() { return router_; }
  const Router& router() const { return router_; }
  void stop_groups() { service_.stop_groups(); }
  // The last thing that was refused, in words; empty: nothing.
  const std::string& last_refusal() const { return last_refusal_; }

 private:
  const ClusterConfig& config_;
  const SteadyClock clock_;
  const ModelFile file_;
  const TextModel text_;
  Router router_;
  RouterService service_;
  std::set<std::pair<std::string, uint64_t>> ready_;  // paths that were reported: name, and which one of that name
  uint64_t n_path_changes_ = 0;                       // up to which they were
  std::string last_refusal_;
};

}  // namespace ferry
