#include "core/engine/member.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/base/error.h"

namespace ferry {

namespace {

// Every rank draws an epoch at its start; the group's is that of rank 0.
wire::GroupKey shared_key(wire::GroupKey key, Communicator& group) {
  std::string bytes = pack(key);
  group.broadcast(bytes, [] {});
  const auto shared = unpack<wire::GroupKey>(bytes);
  check(shared && shared->name == key.name, "all ranks are of one group");
  return *shared;
}

wire::GroupInfo info_of(const ModelFile& file, const GroupSettings& settings, const KvPlan& plan, Communicator& group,
                        const KvLink& link, const Ops& ops) {
  const int longest = file.config.max_context;
  return {.key = shared_key(settings.key, group),
          .role = settings.role,
          .model_hash = file.hash,
          .n_pages = plan.n_pages,
          .max_context = settings.max_context > 0 ? std::min(settings.max_context, longest) : longest,
          .max_sequences = settings.scheduling.max_sequences,
          .layouts = plan.layouts,
          .link_addresses = group.gather_bytes(link.address()),
          .ops = ops.name()};
}

Model model_of(const ModelFile& file, const SchedulingLimits& limits, Ops& ops, Communicator& group) {
  const TpSlice slice = tp_slices(file.tp_shape, group.size())[group.rank()];
  const ModelLimits model_limits = {.max_rows = limits.max_batch_tokens, .max_logit_rows = limits.max_sequences};
  return Model(file.config, slice, load_weights(file.tensors, file.config, slice, ops), model_limits, ops, group);
}

}  // namespace

KvPlan kv_plan(const ModelFile& file, const KvSettings& kv, int tp) {
  KvPlan plan;
  size_t largest = 0;
  for (const Shard& shard : shards_of(tp_slices(file.tp_shape, tp), file.config.n_layers)) {
    plan.layouts.emplace_back(shard, kv.page_tokens, file.config.head_dim, kv.dtype);
    largest = std::max(largest, plan.layouts.back().page_bytes());
  }
  constexpr size_t kMostPages = 1 << 24;
  plan.n_pages = static_cast<int>(std::min(kv.memory / largest, kMostPages));
  if (plan.n_pages < 1) {
    throw Error(str("kv.memory of ", kv.memory, " bytes holds no page: one of ", kv.page_tokens, " tokens takes ",
                    largest, " bytes on a rank"));
  }
  return plan;
}

Member::Member(const ModelFile& file, const GroupSettings& settings, Ops& ops, Communicator& group, KvLink& link,
               const Clock& clock)
    : plan_(kv_plan(file, settings.kv, group.size())),
      info_(info_of(file, settings, plan_, group, link, ops)),
      model_(model_of(file, settings.scheduling, ops, group)),
      shipper_(info_.key, group.rank(), plan_.layouts, link, clock),
      rank_(model_, plan_.layouts[group.rank()], link.memory(), group, shipper_) {
  check(link.memory().size() >= plan_.bytes(group.rank()), "the link has memory for the group's pages");
  if (group.rank() != 0) return;
  engine_ = std::make_unique<Engine>(EngineConfig{.me = info_,
                                                  .end_tokens = settings.end_tokens,
                                                  .n_vocab = file.config.n_vocab,
                                                  .limits = settings.scheduling,
                                                  .overlap = settings.overlap},
                                     clock);
  leader_ = std::make_unique<Leader>(*engine_, rank_, group, shipper_);
}

}  // namespace ferry
