#include "launch/runtime/worker.h"

#include <spdlog/spdlog.h>

#include "core/base/error.h"
#include "core/engine/lead.h"
#include "launch/config/test_stop.h"
#include "launch/front/text_model.h"
#include "launch/process/host_memory.h"
#include "launch/runtime/compose.h"
#include "launch/runtime/pinned_memory.h"
#include "transport/control/grpc_control.h"

namespace ferry {

void run_worker(const WorkerPlace& place, Communicator& host) {
  ClusterConfig config = place.config;
  config.cuda.weights = weights_in(config.cuda, place.group);
  if (host.size() != place.group.tp) {
    throw Error(str("group ", place.group.name, " has tp: ", place.group.tp, " but ", host.size(),
                    " ranks run it; start it with `mpirun -n ", place.group.tp, "`"));
  }
  const SteadyClock clock;
  const ModelFile file(config.model);
  const TextModel text(file, config.chat_format);
  GroupSettings settings = settings_of(config, place.group, text.end_tokens());
  settings.milestones = milestones_of(str(place.group.name, ":", host.rank()));
  RankCompute compute(config, host, place.on_host,
                      card_need(file, settings, config.cuda.weights, host.size(), host.rank()));
  const size_t kv_bytes = kv_plan(file, settings.kv, host.size()).bytes(host.rank());
  if (!compute.on_card()) require_room(host_memory(), kv_bytes, place.on_host.ranks);
  const RankKv kv = make_rank_kv(config.link, compute.on_card() ? &compute.ops().device() : nullptr, kv_bytes);
  Member member(file, settings, {compute.ops(), compute.group(), *kv.link, clock});
  if (const std::string warning = pin_warning(compute.ops().device()); !warning.empty())
    spdlog::warn("group {}, rank {}: {}", settings.key.name, host.rank(), warning);
  if (!member.leads()) return member.follow();

  spdlog::info("group {}: {} ranks, {}, {} KV pages of {} tokens a rank; router at {}", settings.key.name, host.size(),
               compute.text(), member.info().n_pages(), settings.kv.page_tokens, place.router);
  if (!kv.way.empty()) spdlog::info("group {}: KV on cards: {}", settings.key.name, kv.way);
  const auto control = make_grpc_control_client(place.router, place.control);
  lead(member, *control);
}

}  // namespace ferry
