#include "launch/doctor/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/kv/kv_layout.h"
#include "launch/config/byte_size.h"

namespace ferry {
namespace {

using Level = Finding::Level;

struct Needs {  // of all ranks on one machine
  int n_ranks = 0;
  size_t weight_bytes = 0;
  size_t kv_bytes = 0;
  size_t total() const { return weight_bytes + kv_bytes; }
};

Needs needs_of(const ClusterConfig& config, size_t weight_bytes, const std::string& host) {
  Needs needs;
  for (const GroupConfig& group : config.groups) {
    const int n = ranks_on(group, host);
    needs.n_ranks += n;
    needs.weight_bytes += weight_bytes / static_cast<size_t>(group.tp) * static_cast<size_t>(n);
    const bool on_cards = config.compute == ClusterConfig::Compute::cuda;  // then only what it passes through
    needs.kv_bytes += (on_cards ? config.link.staging : config.kv.memory) * static_cast<size_t>(n);
  }
  return needs;
}

std::string place_of(const ClusterConfig& config, size_t group, std::string_view key) {
  return config.source.place(fmt::format("groups[{}].{}", group, key));
}

// Tokens whose KV fits the rank that holds the most heads.
int64_t tokens_that_fit(const ClusterConfig& config, const ModelConfig& model, const std::vector<Shard>& shards) {
  size_t largest = 1;
  for (const Shard& shard : shards) {
    largest = std::max(largest, KvLayout(shard, config.kv.page_tokens, model.head_dim, config.kv.dtype).page_bytes());
  }
  return static_cast<int64_t>(config.kv.memory / largest) * config.kv.page_tokens;
}

Finding group_finding(const ClusterConfig& config, const ModelFile& model, size_t index) {
  const GroupConfig& group = config.groups[index];
  Finding f{.what = "group " + group.name};
  try {
    const std::vector<Shard> shards = shards_of(tp_slices(model.tp_shape, group.tp), model.config.n_layers);
    const int64_t n_tokens = tokens_that_fit(config, model.config, shards);
    f.found = fmt::format("{}, TP {} over {} heads and {} KV heads, KV of {} tokens", config_name(group.role), group.tp,
                          model.config.n_heads, model.config.n_kv_heads, n_tokens);
    if (n_tokens >= model.config.max_context) return f;
    f.level = n_tokens == 0 ? Level::problem : Level::ok;
    f.cost = fmt::format("no request can be longer than that; the model allows {}", model.config.max_context);
    f.advice = fmt::format("{}: a larger kv.memory", config.source.place("kv.memory"));
  } catch (const Error& e) {
    f.level = Level::problem;
    f.found = e.what();
    f.advice = fmt::format("{}: a smaller tp", place_of(config, index, "tp"));
  }
  return f;
}

Finding memory_fit(const ClusterConfig& config, const Needs& needs, const MachineFacts& machine) {
  Finding f{.what = "memory of the ranks",
            .found = fmt::format("{} weights and {} KV for {} ranks here", byte_size_text(needs.weight_bytes),
                                 byte_size_text(needs.kv_bytes), needs.n_ranks)};
  if (needs.total() <= machine.available_bytes) return f;
  f.level = needs.total() > machine.memory_bytes ? Level::problem : Level::warning;
  f.cost = fmt::format("more than the {} that are free", byte_size_text(machine.available_bytes));
  f.advice = fmt::format("{}: a smaller kv.memory, or groups on other hosts", config.source.place("kv.memory"));
  return f;
}

Finding core_fit(const ClusterConfig& config, const Needs& needs, const MachineFacts& machine) {
  const int n_threads = needs.n_ranks * config.threads.value_or(1);
  Finding f{.what = "cores of the ranks",
            .found = fmt::format("{} ranks here{}, {} cores", needs.n_ranks,
                                 config.threads ? fmt::format(" with {} threads each", *config.threads) : "",
                                 machine.n_cores)};
  if (n_threads <= machine.n_cores) return f;
  f.level = Level::warning;
  f.cost = "ranks take turns on the cores: it works, for trying out, and says nothing about speed";
  return f;
}

// Each rank takes a card.
Finding card_fit(const ClusterConfig& config, const Needs& needs, const MachineFacts& machine) {
  Finding f{.what = "cards of the ranks",
            .found = fmt::format("{} ranks here, {} cards", needs.n_ranks, machine.n_cards)};
  if (machine.n_cards == 0) {
    f.level = Level::problem;
    f.cost = machine.why_no_cuda + ": no rank starts";
    f.advice = config.source.place("compute") + ": compute: cpu, or auto";
  } else if (needs.n_ranks > machine.n_cards) {
    const bool shares = config.cuda.share_cards == Switch::on;
    f.level = shares ? Level::warning : Level::problem;
    f.cost = shares ? "ranks take turns on a card: it works, for trying out, and says nothing about speed"
                    : "two ranks would compute on one card: they do not start";
    if (!shares) f.advice = "groups on other hosts, or for trying out cuda: {share_cards: on}";
  }
  return f;
}

Finding link_fit(const ClusterConfig& config, const MachineFacts& machine) {
  const bool is_demanded =
      config.link.require == LinkConfig::Require::rdma || config.link.transport == LinkConfig::Transport::rdma;
  Finding f{.what = "link",
            .found = fmt::format("transport {}, require {}", config_name(config.link.transport),
                                 config_name(config.link.require))};
  if (!is_demanded || !machine.rdma_ports.empty()) return f;
  f.level = Level::problem;
  f.cost = "there is no RDMA device: no pair of groups would be accepted";
  f.advice = "link: {transport: auto, require: any}";
  return f;
}

Finding shared_fit(const Needs& needs, const MachineFacts& machine) {
  return {.level = Level::warning,
          .what = "/dev/shm",
          .found = fmt::format("{} free, {} of KV memory", byte_size_text(machine.shared_bytes),
                               byte_size_text(needs.kv_bytes)),
          .cost = "ranks that share a host keep KV there; when it is full, they die",
          .advice = "docker run --shm-size=…, or mount -o remount,size=… /dev/shm"};
}

}  // namespace

int ranks_on(const GroupConfig& group, const std::string& host) {
  const auto is_here = [&](const std::string& listed) {
    const std::string name = listed.substr(0, listed.find(':'));
    return name == "localhost" || name == "127.0.0.1" || name == host;
  };
  const auto n_hosts = static_cast<int>(group.hosts.size());
  const auto n_here = static_cast<int>(std::ranges::count_if(group.hosts, is_here));
  return (group.tp * n_here + n_hosts - 1) / n_hosts;
}

std::vector<Finding> model_findings(const ClusterConfig& config, const ModelFile& model) {
  std::vector<Finding> findings;
  for (size_t i = 0; i < config.groups.size(); ++i) findings.push_back(group_finding(config, model, i));
  return findings;
}

std::vector<Finding> fit_findings(const ClusterConfig& config, size_t weight_bytes, const MachineFacts& machine) {
  std::vector<Finding> findings = {link_fit(config, machine)};
  const Needs needs = needs_of(config, weight_bytes, machine.host);
  if (needs.n_ranks == 0) return findings;  // this machine only routes
  findings.push_back(memory_fit(config, needs, machine));
  findings.push_back(core_fit(config, needs, machine));
  if (config.compute == ClusterConfig::Compute::cuda) findings.push_back(card_fit(config, needs, machine));
  if (needs.kv_bytes > machine.shared_bytes) findings.push_back(shared_fit(needs, machine));
  return findings;
}

}  // namespace ferry
