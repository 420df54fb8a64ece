#pragma once
// What a cluster is made of, as its YAML says it: plain values, filled once at start. launch/config/cluster_fields.h is
// the table of keys; the defaults stand here.

#include <array>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/kv/dtype.h"

namespace ferry {

struct HostPort {
  std::string host;
  int port = 0;

  std::string text() const { return host + ":" + std::to_string(port); }
  bool operator==(const HostPort&) const = default;
};

enum class Switch { on, off };

struct KvConfig {
  int page_tokens = 16;
  KvDtype dtype = KvDtype::f32;
  size_t memory = size_t{256} << 20;  // bytes, of each rank
  Switch prefix_cache = Switch::on;   // pages that hold the beginning of a prompt already are used again

  bool operator==(const KvConfig&) const = default;
};

// Of ranks that compute on CUDA cards.
struct CudaConfig {
  enum class Products { bf16, f32 };
  enum class Weights { file, bf16, bf16_in_prefill };
  enum class AllReduce { automatic, ipc, nccl, host };

  Products products = Products::bf16;           // what of an activation enters a product
  Weights weights = Weights::file;              // what matrices are kept as
  Switch share_cards = Switch::off;             // ranks may compute on one card by turns
  AllReduce all_reduce = AllReduce::automatic;  // what the ranks of a group may add up by

  bool operator==(const CudaConfig&) const = default;
};

struct GroupConfig {
  enum class Role { prefill, decode, mixed };

  std::string name;
  Role role = Role::mixed;
  int tp = 1;
  std::vector<std::string> hosts = {"localhost"};  // as for mpirun -H

  bool prefills() const { return role != Role::decode; }
  bool decodes() const { return role != Role::prefill; }
  bool operator==(const GroupConfig&) const = default;
};

// file or bf16.
constexpr CudaConfig::Weights weights_in(const CudaConfig& cuda, const GroupConfig& group) {
  using enum CudaConfig::Weights;
  if (cuda.weights != bf16_in_prefill) return cuda.weights;
  return group.decodes() ? file : bf16;
}

struct SchedulingConfig {
  int max_batch_tokens = 512;  // of one step
  int max_sequences = 64;      // of one group, at a time
  double step_ms = 200;        // that a step should take at most; 0: as long as it takes

  bool operator==(const SchedulingConfig&) const = default;
};

struct LinkConfig {
  enum class Transport { automatic, shm, tcp, rdma, cuda };
  enum class Require { any, rdma };
  enum class Verify { off, sampled, all };
  enum class Overlap { layers, after_prefill };

  Transport transport = Transport::automatic;
  Require require = Require::any;
  double min_gb_per_s = 0;
  Verify verify = Verify::sampled;
  Overlap overlap = Overlap::layers;
  size_t staging = size_t{64} << 20;  // bytes of a rank with its KV on a card, where that takes no puts

  bool operator==(const LinkConfig&) const = default;
};

// What one client, or all of them, can take of the router. Times are patience with a client.
struct LimitsConfig {
  int connections = 16384;
  size_t header_bytes = size_t{16} << 10;
  size_t body_bytes = size_t{8} << 20;
  int header_ms = 10'000;            // from the first byte of a header, or the connection, to its last
  int body_ms = 60'000;              // for a body
  int idle_ms = 75'000;              // between two requests of a connection
  int write_ms = 30'000;             // until it took what it is sent
  std::optional<int> prompt_tokens;  // nullopt: what the context allows
  int choices = 128;                 // prompts × n
  int stops = 16;
  size_t stop_bytes = 4096;    // of each
  int streams_per_key = 1024;  // choices that run or wait; a key's own line wins
  int queued_per_key = 1024;   // choices of which no token has come

  bool operator==(const LimitsConfig&) const = default;
};

struct TlsConfig {
  std::filesystem::path certificate, key;  // PEM; empty: no TLS

  bool given() const { return !certificate.empty(); }
  bool operator==(const TlsConfig&) const = default;
};

struct ControlTlsConfig {
  std::filesystem::path certificate, key, ca;  // PEM; each end shows its own, and holds the other's against `ca`

  bool given() const { return !certificate.empty(); }
  bool operator==(const ControlTlsConfig&) const = default;
};

struct RouterConfig {
  HostPort listen = {"127.0.0.1", 8000};   // HTTP
  HostPort control = {"127.0.0.1", 8001};  // leaders dial in here
  Switch colocated_retry = Switch::on;     // a decode group may prefill what no prefill group could
  int colocate_below = 0;                  // tokens: a shorter prompt is prefilled where it is decoded
  int max_queued = 65536;                  // requests that wait; one more is refused
  std::filesystem::path spans;             // file that spans of requests are appended to; empty: none
  std::filesystem::path keys;              // of clients; empty: nobody needs one
  std::filesystem::path join_token;        // of leaders; empty: they need none
  TlsConfig tls;                           // of HTTP
  ControlTlsConfig control_tls;
  Switch allow_unauthenticated = Switch::off;  // other hosts may come without key or token
  LimitsConfig limits;

  bool operator==(const RouterConfig&) const = default;
};

// Where each value that a file gives stands in it. A key that is not here has its default.
struct ConfigSource {
  std::string file;
  std::map<std::string, int> lines;  // "kv.page_tokens", "groups[1].tp" → line

  // "cluster.yaml:5", or "cluster.yaml" for a key that the file does not give.
  std::string place(const std::string& key) const;
};

struct ClusterConfig {
  enum class Compute { automatic, reference, cpu, cuda };

  std::filesystem::path model;
  Compute compute = Compute::automatic;
  std::optional<int> threads;      // of each rank; nullopt: automatic
  std::optional<int> max_context;  // tokens; nullopt: what the model and the pages allow
  std::string chat_format = "auto";
  CudaConfig cuda;
  KvConfig kv;
  std::vector<GroupConfig> groups;
  SchedulingConfig scheduling;
  LinkConfig link;
  RouterConfig router;
  int deadline_ms = 60000;  // of one request, from its arrival to its last token

  ConfigSource source;

  const GroupConfig* group(std::string_view name) const;  // null: no such group
  int n_ranks() const;                                    // of all groups
};

// The names that the YAML uses, in the order of the enum's values.
constexpr std::array<std::string_view, 4> names_of(ClusterConfig::Compute) {
  return {"auto", "reference", "cpu", "cuda"};
}
constexpr std::array<std::string_view, 2> names_of(CudaConfig::Products) { return {"bf16", "f32"}; }
constexpr std::array<std::string_view, 3> names_of(CudaConfig::Weights) { return {"file", "bf16", "bf16_in_prefill"}; }
constexpr std::array<std::string_view, 4> names_of(CudaConfig::AllReduce) { return {"auto", "ipc", "nccl", "host"}; }
constexpr std::array<std::string_view, 3> names_of(GroupConfig::Role) { return {"prefill", "decode", "mixed"}; }
constexpr std::array<std::string_view, 5> names_of(LinkConfig::Transport) {
  return {"auto", "shm", "tcp", "rdma", "cuda"};
}
constexpr std::array<std::string_view, 2> names_of(LinkConfig::Require) { return {"any", "rdma"}; }
constexpr std::array<std::string_view, 3> names_of(LinkConfig::Verify) { return {"off", "sampled", "all"}; }
constexpr std::array<std::string_view, 2> names_of(LinkConfig::Overlap) { return {"layers", "after_prefill"}; }
constexpr std::array<std::string_view, 2> names_of(Switch) { return {"on", "off"}; }
constexpr std::array<std::string_view, 3> names_of(KvDtype) {
  return {name_of(KvDtype::f32), name_of(KvDtype::f16), name_of(KvDtype::bf16)};
}

template <class Enum>
requires requires(Enum value) { names_of(value); }
constexpr std::string_view config_name(Enum value) { return names_of(value)[static_cast<size_t>(value)]; }

// Reads and checks a file; `model` becomes a path that exists (relative paths: beside the YAML first, then in the
// working directory). Error with file, line, key, value and what is allowed.
// Overrides win over the file: "link.overlap=after_prefill".
using Overrides = std::vector<std::string>;
ClusterConfig load_cluster(const std::filesystem::path& path, const Overrides& overrides = {});

// The same for text that was read from `file`; `model` stays as written and need not exist.
ClusterConfig parse_cluster(const std::string& text, const std::string& file, const Overrides& overrides = {});

// The same for a configuration that no file gives.
void apply_overrides(ClusterConfig& config, const Overrides& overrides);

// Every key with its value and where that comes from: "kv.page_tokens: 16 (default)", "kv.dtype: f16 (cluster.yaml:5)".
void print_effective(ClusterConfig config, std::ostream& out);

}  // namespace ferry
