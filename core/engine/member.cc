#include "core/engine/member.h"

#include <algorithm>

#include "core/base/check.h"
#include "core/base/codec.h"
#include "core/base/error.h"

namespace ferry {

namespace {

// Every rank draws an epoch at its start; the group's is that of rank 0.
wire::GroupKey shared_key(const wire::GroupKey& key, Communicator& group) {
  std::string bytes = pack(key);
  group.broadcast(bytes, [] {});
  const auto shared = unpack<wire::GroupKey>(bytes);
  check(shared && shared->name == key.name, "all ranks are of one group");
  return *shared;
}

int max_context(const ModelFile& file, const GroupSettings& settings) {
  const int longest = file.config.max_context;
  return settings.max_context > 0 ? std::min(settings.max_context, longest) : longest;
}

wire::GroupInfo info_of(const ModelFile& file, const GroupSettings& settings, const KvPlan& plan, Communicator& group,
                        const Ops& ops) {
  return {.key = shared_key(settings.key, group),
          .role = settings.role,
          .model_hash = file.hash,
          .max_context = max_context(file, settings),
          .max_sequences = settings.scheduling.max_sequences,
          .layouts = plan.layouts,
          .ops = ops.name()};
}

Model model_of(const ModelFile& file, const GroupSettings& settings, Ops& ops, Communicator& group) {
  const TpSlice slice = tp_slices(file.tp_shape, group.size())[group.rank()];
  const SchedulingLimits& limits = settings.scheduling;
  const ModelLimits model_limits = {
      .max_rows = limits.max_batch_tokens,
      .max_logit_rows = limits.max_sequences,
      .max_pages = limits.max_sequences * pages_for(max_context(file, settings), settings.kv.page_tokens)};
  return Model({file.config, slice, load_weights(file.tensors, file.config, slice, ops)}, model_limits, ops, group);
}

Compute compute_with(Model& model, const KvLayout& layout, std::span<std::byte> kv) {
  return {.batch = [&model, layout, kv](
                       const Batch& batch,
                       const LayerDone& layer_done) { return model.forward(batch, layout, kv, layer_done); },
          .logits = [&model](const std::vector<int>& rows) { return model.logits(rows); }};
}

}  // namespace

KvPlan kv_plan(const ModelFile& file, const KvSettings& kv, int tp) {
  const auto shards = shards_of(tp_slices(file.tp_shape, tp), file.config.n_layers);
  size_t largest = 0;
  for (const Shard& shard : shards)
    largest = std::max(largest, KvLayout(shard, kv.page_tokens, file.config.head_dim, kv.dtype).page_bytes());
  check(largest > 0, "a rank has heads");
  KvPlan plan;
  constexpr size_t kMostPages = 1 << 24;
  plan.n_pages = static_cast<int>(std::min(kv.memory / largest, kMostPages));
  if (plan.n_pages < 1) {
    throw Error(str("kv.memory of ", kv.memory, " bytes holds no page: one of ", kv.page_tokens, " tokens takes ",
                    largest, " bytes on a rank"));
  }
  for (const Shard& shard : shards)
    plan.layouts.emplace_back(shard, kv.page_tokens, file.config.head_dim, kv.dtype, plan.n_pages);
  return plan;
}

Member::Member(const ModelFile& file, const GroupSettings& settings, const MemberMeans& means)
    : plan_(kv_plan(file, settings.kv, means.group.size())),
      info_(info_of(file, settings, plan_, means.group, means.ops)),
      model_(model_of(file, settings, means.ops, means.group)),
      shipper_(means.group.rank(), plan_.layouts, {means.link, means.ops.device()}, means.clock, settings.milestones),
      rank_(compute_with(model_, plan_.layouts[means.group.rank()], means.link.memory()),
            plan_.layouts[means.group.rank()], file.config.n_vocab, means.group, shipper_) {
  if (means.group.rank() != 0) return;
  engine_ = std::make_unique<Engine>(EngineConfig{.me = info_,
                                                  .end_tokens = settings.end_tokens,
                                                  .n_vocab = file.config.n_vocab,
                                                  .limits = settings.scheduling,
                                                  .overlap = settings.overlap,
                                                  .verify = settings.verify,
                                                  .reuse_pages = settings.kv.reuse,
                                                  .seed = settings.seed,
                                                  .milestones = settings.milestones},
                                     means.clock);
  leader_ = std::make_unique<Leader>(*engine_, rank_, means.group, shipper_);
}

}  // namespace ferry
