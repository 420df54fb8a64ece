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

std::string text_of(const PairReport& path) {
  if (path.transport.empty()) return fmt::format("group {} is ready", path.prefill);
  return fmt::format("path {} → {} is ready over {}: {:.2f} GB/s, {:.1f} µs; back {:.2f} GB/s, {:.1f} µs", path.prefill,
                     path.decode, path.transport, path.there.gb_per_s, path.there.latency_us, path.back.gb_per_s,
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
  std::set<std::string> ready;
  for (const PairReport& path : router_.paths()) {
    const std::string name = path.prefill + " → " + path.decode;
    ready.insert(name);
    if (!ready_.contains(name)) spdlog::info("{}", text_of(path));
  }
  for (const std::string& name : ready_) {
    if (!ready.contains(name)) spdlog::warn("path {} is lost", name);
  }
  ready_ = std::move(ready);
}

}  // namespace ferry
