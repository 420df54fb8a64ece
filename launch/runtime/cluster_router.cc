#include "launch/runtime/cluster_router.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "launch/config/test_stop.h"

namespace ferry {

namespace {

RouterRules rules_of(const ClusterConfig& config, const ModelFile& file) {
  return {.model_hash = file.hash,
          .epoch = new_epoch(),
          .paths = {.require_rdma = config.link.require == LinkConfig::Require::rdma,
                    .min_gb_per_s = config.link.min_gb_per_s},
          .colocated_retry = config.router.colocated_retry == Switch::on,
          .most_queued = static_cast<size_t>(config.router.max_queued),
          .colocate_below = config.router.colocate_below,
          .milestones = milestones_of("router")};
}

std::string name_of(const PairReport& path) { return path.prefill + " → " + path.decode; }

std::string text_of(const PairReport& path) {
  if (path.transport.empty()) return fmt::format("group {} is ready", path.prefill);
  return fmt::format("path {} is ready over {}: {:.2f} GB/s, {:.1f} µs; back {:.2f} GB/s, {:.1f} µs", name_of(path),
                     path.transport, path.there.gb_per_s, path.there.latency_us, path.back.gb_per_s,
                     path.back.latency_us);
}

}  // namespace

ClusterRouter::ClusterRouter(const ClusterConfig& config, ControlStream& leaders)
    : config_(config),
      file_(config.model),
      text_(file_, config.chat_format),
      router_(rules_of(config, file_), clock_),
      service_(router_, leaders) {}

void ClusterRouter::report_news() {
  for (std::string& refusal : router_.take_refusals()) {
    spdlog::error("{}", refusal);
    last_refusal_ = std::move(refusal);
  }
  if (std::exchange(n_path_changes_, router_.n_path_changes()) == router_.n_path_changes()) return;
  decltype(ready_) ready;
  for (const PairReport& path : router_.paths()) ready.emplace(name_of(path), path.which);
  for (const auto& path : ready_) {  // also one that is back since the last look
    if (!ready.contains(path)) spdlog::warn("path {} is lost", path.first);
  }
  for (const PairReport& path : router_.paths()) {
    if (!ready_.contains({name_of(path), path.which})) spdlog::info("{}", text_of(path));
  }
  ready_ = std::move(ready);
}

}  // namespace ferry
