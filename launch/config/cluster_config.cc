#include "launch/config/cluster_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "launch/config/yaml_reader.h"

namespace ferry {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 20;

std::string read_text(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) throw Error(str(path.string(), " is a directory; a cluster YAML is a file"));
  std::ifstream in(path, std::ios::binary);
  if (!in) throw Error(str("cannot read ", path.string(), ": ", std::generic_category().message(errno)));
  std::string text(kMaxFileBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

// yaml-cpp reports everything as an exception of its own; those with a place in the file have a line from 0.
YAML::Node parse_yaml(const std::string& text, const std::string& file) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.empty() || documents[0].IsNull()) throw Error(str(file, ": the file is empty"));
    if (documents.size() > 1) throw Error(str(file, ": expected one YAML document, found ", documents.size()));
    return documents[0];
  } catch (const YAML::Exception& e) {
    throw Error(str(file, ":", std::max(e.mark.line, 0) + 1, ": not valid YAML: ", e.msg));
  }
}

// The value is YAML as well, so that lists and numbers can be given. Keys are checked when the whole is read.
void apply_override(const std::string& override_, const YAML::Node& root) {
  const size_t equals = override_.find('=');
  if (equals == 0 || equals == std::string::npos) throw Error(str("'", override_, "' is not KEY=VALUE"));
  std::istringstream parts(override_.substr(0, equals));
  YAML::Node at = root;
  for (std::string part; std::getline(parts, part, '.');) {
    if (!at.IsMap() && at.IsDefined() && !at.IsNull()) throw Error(str("'", override_, "': no such key"));
    at.reset(at[part]);
  }
  at = parse_yaml(override_.substr(equals + 1), override_);
}

void check_groups(const ClusterConfig& config) {
  const ConfigSource& source = config.source;
  for (size_t i = 0; i < config.groups.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (config.groups[i].name != config.groups[j].name) continue;
      throw Error(fmt::format("{}: group '{}' is named twice (first on line {})",
                              source.place(fmt::format("groups[{}].name", i)), config.groups[i].name,
                              source.lines.at(fmt::format("groups[{}].name", j))));
    }
  }
  if (std::ranges::none_of(config.groups, &GroupConfig::prefills)) {
    throw Error(source.place("groups") + ": no group can prefill; one needs role: prefill or role: mixed");
  }
  if (std::ranges::none_of(config.groups, &GroupConfig::decodes)) {
    throw Error(source.place("groups") + ": no group can decode; one needs role: decode or role: mixed");
  }
}

void check_cuda(const ClusterConfig& config) {
  if (config.cuda.weights == CudaConfig::Weights::file || config.cuda.products == CudaConfig::Products::bf16) return;
  throw Error(str(config.source.place("cuda.weights"), ": cuda.weights: ", config_name(config.cuda.weights),
                  " rounds weights, and cuda.products: f32 is there to round nothing; use one of them"));
}

std::filesystem::path find_model(const ClusterConfig& config, const std::filesystem::path& yaml) {
  const std::filesystem::path beside = std::filesystem::absolute(yaml).parent_path() / config.model;
  const std::filesystem::path here = std::filesystem::absolute(config.model);
  if (std::filesystem::exists(beside)) return beside.lexically_normal();
  if (std::filesystem::exists(here)) return here.lexically_normal();
  std::string tried = beside.lexically_normal().string();
  if (here.lexically_normal() != beside.lexically_normal()) tried += " and " + here.lexically_normal().string();
  throw Error(fmt::format("{}: model: no such file: '{}' (tried {})", config.source.place("model"),
                          config.model.string(), tried));
}

// Files that only some of the processes need: each says itself when one is missing.
void find_files(RouterConfig& router, const std::filesystem::path& yaml) {
  const std::filesystem::path folder = std::filesystem::absolute(yaml).parent_path();
  for (std::filesystem::path* file :
       {&router.keys, &router.join_token, &router.tls.certificate, &router.tls.key, &router.control_tls.certificate,
        &router.control_tls.key, &router.control_tls.ca, &router.spans}) {
    if (!file->empty()) *file = (folder / *file).lexically_normal();
  }
}

}  // namespace

std::string ConfigSource::place(const std::string& key) const {
  const auto it = lines.find(key);
  return it == lines.end() ? file : fmt::format("{}:{}", file, it->second);
}

const GroupConfig* ClusterConfig::group(std::string_view name) const {
  const auto it = std::ranges::find(groups, name, &GroupConfig::name);
  return it == groups.end() ? nullptr : &*it;
}

int ClusterConfig::n_ranks() const {
  int n = 0;
  for (const GroupConfig& group : groups) n += group.tp;
  return n;
}

ClusterConfig parse_cluster(const std::string& text, const std::string& file, const Overrides& overrides) {
  if (text.size() > kMaxFileBytes) throw Error(str(file, ": larger than 1 MiB, which no cluster YAML is"));
  ClusterConfig config;
  config.source.file = file;
  const YAML::Node root = parse_yaml(text, file);
  for (const std::string& one : overrides) apply_override(one, root);
  YamlReader(root, "", config.source).read(config);
  check_groups(config);
  check_cuda(config);
  return config;
}

void apply_overrides(ClusterConfig& config, const Overrides& overrides) {
  YAML::Node root(YAML::NodeType::Map);
  for (const std::string& one : overrides) apply_override(one, root);
  config.source.file = "--set";
  YamlReader(root, "", config.source).read_some(config);
  check_cuda(config);
}

ClusterConfig load_cluster(const std::filesystem::path& path, const Overrides& overrides) {
  ClusterConfig config = parse_cluster(read_text(path), path.string(), overrides);
  config.model = find_model(config, path);
  find_files(config.router, path);
  return config;
}

}  // namespace ferry
