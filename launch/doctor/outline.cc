#include "launch/doctor/outline.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/kv/kv_layout.h"
#include "core/kv/reshard_plan.h"
#include "core/model/weight_slices.h"
#include "launch/config/byte_size.h"
#include "launch/io/table.h"

namespace ferry {

namespace {

using nlohmann::ordered_json;

constexpr int kTokensShown = 1000;  // a path is rated by what they take

// nullopt: no part of the model can be cut into so many.
std::optional<GroupOutline> group_outline(const ClusterConfig& config, const GroupConfig& group,
                                          const ModelFile& model) {
  GroupOutline g = {.name = group.name,
                    .role = std::string(config_name(group.role)),
                    .hosts = fmt::format("{}", fmt::join(group.hosts, " ")),
                    .n_sequences = config.scheduling.max_sequences};
  std::vector<TpSlice> slices;
  try {
    slices = tp_slices(model.tp_shape, group.tp);
  } catch (const Error&) {
    return std::nullopt;
  }
  const std::vector<Shard> shards = shards_of(slices, model.config.n_layers);
  const auto page_bytes = [&](const Shard& shard) {
    return KvLayout(shard, config.kv.page_tokens, model.config.head_dim, config.kv.dtype).page_bytes();
  };
  size_t largest = 1;  // every rank has as many pages as the one that holds the most heads
  for (const Shard& shard : shards) largest = std::max(largest, page_bytes(shard));
  g.n_pages = static_cast<int>(config.kv.memory / largest);
  g.n_tokens = int64_t{g.n_pages} * config.kv.page_tokens;
  g.tokens_each = g.n_pages / g.n_sequences * config.kv.page_tokens;
  const bool makes_bf16 =
      config.compute == ClusterConfig::Compute::cuda && weights_in(config.cuda, group) == CudaConfig::Weights::bf16;
  const auto weight_bytes = makes_bf16 ? bf16_weight_bytes_of : weight_bytes_of;
  for (size_t rank = 0; rank < slices.size(); ++rank) {
    g.ranks.push_back({.slice = slices[rank],
                       .shard = shards[rank],
                       .weight_bytes = weight_bytes(model.tensors, model.config, slices[rank]),
                       .kv_bytes = page_bytes(shards[rank]) * static_cast<size_t>(g.n_pages)});
  }
  return g;
}

std::vector<Shard> shards_of(const GroupOutline& group) {
  std::vector<Shard> shards;
  for (const RankOutline& rank : group.ranks) shards.push_back(rank.shard);
  return shards;
}

PathOutline path_outline(const GroupOutline& prefill, const GroupOutline& decode, size_t cell_bytes) {
  const ReshardPlan plan(shards_of(prefill), shards_of(decode));
  PathOutline path = {.prefill = prefill.name,
                      .decode = decode.name,
                      .n_pieces = static_cast<int>(plan.transfers().size()),
                      .longest_sender = plan.longest_sender()};
  for (const Transfer& t : plan.transfers())
    path.token_bytes += static_cast<size_t>(t.part.layers.size() * t.part.heads.size()) * cell_bytes;
  path.longest_bytes = static_cast<size_t>(plan.cells_sent_by(path.longest_sender)) * cell_bytes;
  return path;
}

// As the router pairs groups.
bool are_paired(const GroupConfig& from, const GroupConfig& to) {
  return from.prefills() && to.decodes() && from.role != to.role;
}

ordered_json json_of(const RankOutline& rank) {
  const auto ends = [](Range r) { return ordered_json::array({r.begin, r.end}); };
  return {{"query_heads", ends(rank.slice.q_heads)},
          {"kv_heads", ends(rank.shard.heads)},
          {"layers", ends(rank.shard.layers)},
          {"weight_bytes", rank.weight_bytes},
          {"kv_bytes", rank.kv_bytes}};
}

std::string span(Range r) {
  if (r.empty()) return "none";
  return r.size() == 1 ? str(r.begin) : fmt::format("{}–{}", r.begin, r.end - 1);
}

void print_groups(const std::vector<GroupOutline>& groups, std::ostream& out, Colours colours) {
  Table rooms({"group", "role", "hosts", "ranks", "KV pages", "tokens", "sequences", "tokens each"});
  Table ranks({"group", "rank", "query heads", "KV heads", "layers", "weights", "KV memory"});
  for (const GroupOutline& g : groups) {
    rooms.row({g.name, g.role, g.hosts, str(g.ranks.size()), str(g.n_pages), str(g.n_tokens), str(g.n_sequences),
               str(g.tokens_each)});
    for (size_t rank = 0; rank < g.ranks.size(); ++rank) {
      const RankOutline& r = g.ranks[rank];
      ranks.row({g.name, str(rank), span(r.slice.q_heads), span(r.shard.heads), span(r.shard.layers),
                 byte_size_text(r.weight_bytes), byte_size_text(r.kv_bytes)});
    }
  }
  rooms.print(out, colours);
  out << '\n';
  ranks.print(out, colours);
  out << '\n';
}

}  // namespace

ClusterOutline outline_of(const ClusterConfig& config, const ModelFile& model) {
  ClusterOutline outline;
  std::vector<const GroupConfig*> shown;
  for (const GroupConfig& group : config.groups) {
    auto g = group_outline(config, group, model);
    if (!g) continue;
    outline.groups.push_back(std::move(*g));
    shown.push_back(&group);
  }
  const size_t cell_bytes = 2 * static_cast<size_t>(model.config.head_dim) * bytes_of(config.kv.dtype);
  for (size_t from = 0; from < shown.size(); ++from) {
    for (size_t to = 0; to < shown.size(); ++to) {
      if (from != to && are_paired(*shown[from], *shown[to]))
        outline.paths.push_back(path_outline(outline.groups[from], outline.groups[to], cell_bytes));
    }
  }
  return outline;
}

void print_outline(const ClusterOutline& outline, std::ostream& out, Colours colours) {
  if (outline.groups.empty()) return;
  print_groups(outline.groups, out, colours);
  if (outline.paths.empty()) return;
  Table table({"path", "puts a page and layer", fmt::format("KV of {} tokens", kTokensShown), "longest sender"});
  for (const PathOutline& p : outline.paths) {
    table.row({p.prefill + " → " + p.decode, str(p.n_pieces), byte_size_text(p.token_bytes * kTokensShown),
               fmt::format("rank {}: {}", p.longest_sender, byte_size_text(p.longest_bytes * kTokensShown))});
  }
  table.print(out, colours);
  out << '\n';
}

nlohmann::ordered_json json_of(const ClusterOutline& outline) {
  ordered_json groups = ordered_json::array(), paths = ordered_json::array();
  for (const GroupOutline& g : outline.groups) {
    ordered_json ranks = ordered_json::array();
    for (const RankOutline& r : g.ranks) ranks.push_back(json_of(r));
    groups.push_back({{"name", g.name},
                      {"role", g.role},
                      {"hosts", g.hosts},
                      {"ranks", ranks},
                      {"kv_pages", g.n_pages},
                      {"tokens", g.n_tokens},
                      {"sequences", g.n_sequences},
                      {"tokens_each", g.tokens_each}});
  }
  for (const PathOutline& p : outline.paths) {
    paths.push_back({{"prefill", p.prefill},
                     {"decode", p.decode},
                     {"puts_per_page_and_layer", p.n_pieces},
                     {"bytes_per_token", p.token_bytes},
                     {"longest_sender", {{"rank", p.longest_sender}, {"bytes_per_token", p.longest_bytes}}}});
  }
  return {{"groups", groups}, {"paths", paths}};
}

}  // namespace ferry
