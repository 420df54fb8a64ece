#include "launch/commands/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/base/error.h"
#include "core/kv/reshard_plan.h"
#include "core/model/model_file.h"
#include "launch/commands/enum_option.h"
#include "launch/io/table.h"

namespace ferry {

namespace {

struct PlanOptions {
  std::string model;
  std::string from, to;  // "tp=4"
  KvDtype dtype = KvDtype::f32;
  bool json = false;
};

// "tp=4" → 4.
int degree_of(const std::string& option, const std::string& text) {
  int tp = 0;
  const char *begin = text.data() + 3, *end = text.data() + text.size();
  const bool named = text.rfind("tp=", 0) == 0;
  if (!named || std::from_chars(begin, end, tp).ptr != end || tp < 1) {
    throw Error(str(option, " ", text, ": write tp=N, N at least 1"));
  }
  return tp;
}

struct Planned {
  std::vector<Shard> from, to;
  ReshardPlan plan;
  size_t cell_bytes = 0;  // of one token, in one layer and head
};

Planned planned(const ModelFile& file, const PlanOptions& options) {
  const auto shards = [&](const std::string& option, const std::string& text) {
    return shards_of(tp_slices(file.tp_shape, degree_of(option, text)), file.config.n_layers);
  };
  const auto from = shards("--from", options.from), to = shards("--to", options.to);
  return {from, to, ReshardPlan(from, to), 2 * file.config.head_dim * bytes_of(options.dtype)};
}

// How often a cell of a destination rank is written. Counted from the transfers, not from how they were made.
int64_t n_written(const Planned& p, int rank, int layer, int head) {
  return std::ranges::count_if(p.plan.transfers(), [&](const Transfer& t) {
    return t.destination == rank && t.part.layers.contains(layer) && t.part.heads.contains(head);
  });
}

bool covers_every_cell_once(const Planned& p) {
  for (int rank = 0; rank < static_cast<int>(p.to.size()); ++rank) {
    const auto& [layers, heads] = p.to[rank];
    for (int layer = layers.begin; layer < layers.end; ++layer) {
      for (int head = heads.begin; head < heads.end; ++head) {
        if (n_written(p, rank, layer, head) != 1) return false;
      }
    }
  }
  return true;
}

size_t bytes_of(const Planned& p, const Transfer& t) {
  return t.part.layers.size() * t.part.heads.size() * p.cell_bytes;
}

size_t total_bytes(const Planned& p) {
  size_t sum = 0;
  for (const Transfer& t : p.plan.transfers()) sum += bytes_of(p, t);
  return sum;
}

nlohmann::json json_of(const Planned& p) {
  nlohmann::json transfers = nlohmann::json::array();
  for (const Transfer& t : p.plan.transfers()) {
    transfers.push_back({{"from_rank", t.source},
                         {"to_rank", t.destination},
                         {"layers", {t.part.layers.begin, t.part.layers.end}},
                         {"kv_heads", {t.part.heads.begin, t.part.heads.end}},
                         {"bytes_per_token", bytes_of(p, t)}});
  }
  const int longest = p.plan.longest_sender();
  return {{"from_tp", p.from.size()},
          {"to_tp", p.to.size()},
          {"transfers", transfers},
          {"bytes_per_token", total_bytes(p)},
          {"longest_sender", {{"rank", longest}, {"bytes_per_token", p.plan.cells_sent_by(longest) * p.cell_bytes}}},
          {"every_byte_once", covers_every_cell_once(p)}};
}

std::string text_of(const Planned& p, const std::string& model) {
  const auto span = [](Range r) { return r.size() == 1 ? str(r.begin) : str(r.begin, "–", r.end - 1); };
  Table table({"from rank", "to rank", "layers", "KV heads", "bytes a token"});
  for (const Transfer& t : p.plan.transfers()) {
    table.row({str(t.source), str(t.destination), span(t.part.layers), span(t.part.heads), str(bytes_of(p, t))});
  }
  std::ostringstream rows;
  table.print(rows);
  const int longest = p.plan.longest_sender();
  return fmt::format("{}: tp {} → tp {}\n\n{}\n{} bytes a token in all; longest sender: rank {} with {}\n{}\n", model,
                     p.from.size(), p.to.size(), rows.str(), total_bytes(p), longest,
                     p.plan.cells_sent_by(longest) * p.cell_bytes,
                     covers_every_cell_once(p) ? "every byte of every destination rank is covered once"
                                               : "NOT every byte is covered once: this is a bug");
}

int run(const PlanOptions& options) {
  const ModelFile file(options.model);
  const Planned p = planned(file, options);
  fmt::print("{}", options.json ? json_of(p).dump() + "\n" : text_of(p, options.model));
  return covers_every_cell_once(p) ? kDone : kWorldNotAsNeeded;
}

}  // namespace

void add_plan(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<PlanOptions>();
  CLI::App* command = app.add_subcommand("plan", "Show which rank sends which heads and layers where");
  command->footer("Example:\n  ferry plan --model build/models/smollm2-135m-instruct-q4_1.gguf --from tp=4 --to tp=3");
  command->add_option("--model", options->model, "GGUF file")->required();
  command->add_option("--from", options->from, "Of the prefill group: tp=N")->required();
  command->add_option("--to", options->to, "Of the decode group: tp=N")->required();
  add_enum_option(*command, "--kv-dtype", options->dtype, "Type of the KV cache");
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options, &chosen] { chosen = [options] { return run(*options); }; });
}

}  // namespace ferry
