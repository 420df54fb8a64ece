#include "launch/commands/serve.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "launch/commands/model_options.h"
#include "launch/commands/up.h"
#include "launch/process/temporary_yaml.h"

namespace ferry {

namespace {

struct ServeOptions {
  ClusterConfig config;  // defaults of a cluster.yaml, changed by options
  int tp = 1;
  std::string listen = "127.0.0.1:8000";
  std::string control = "127.0.0.1:8001";
  std::string keys;
  bool allow_unauthenticated = false;
};

// The router and the group are processes of their own and read a cluster.yaml like any other.
std::string yaml_of(const ServeOptions& o) {
  const ClusterConfig& c = o.config;
  return fmt::format(
      "model: {}\ncompute: {}\nthreads: {}\nchat_format: {}\n"
      "kv: {{page_tokens: {}, dtype: {}, memory: {}}}\n"
      "groups: [{{name: local, role: mixed, tp: {}}}]\n"
      "scheduling: {{max_batch_tokens: {}, max_sequences: {}}}\n"
      "router: {{listen: {}, control: {}, allow_unauthenticated: {}{}}}\n",
      quoted_yaml(std::filesystem::absolute(c.model).string()), config_name(c.compute),
      c.threads ? std::to_string(*c.threads) : "auto", c.chat_format, c.kv.page_tokens, config_name(c.kv.dtype),
      c.kv.memory, o.tp, c.scheduling.max_batch_tokens, c.scheduling.max_sequences, quoted_yaml(o.listen),
      quoted_yaml(o.control), o.allow_unauthenticated,
      o.keys.empty() ? "" : ", keys: " + quoted_yaml(std::filesystem::absolute(o.keys).string()));
}

}  // namespace

void add_serve(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* command = app.add_subcommand("serve", "Serve the OpenAI API on one group");
  command->footer(
      "Example:\n"
      "  ferry serve --model build/models/smollm2-135m-instruct-q4_1.gguf\n"
      "  curl http://127.0.0.1:8000/v1/completions -d '{\"prompt\": \"A ferry is\"}'");
  add_model_options(*command, options->config);
  command->add_option("--tp", options->tp, "Ranks that share the model")->capture_default_str();
  command->add_option("--listen", options->listen, "host:port of HTTP")->capture_default_str();
  command->add_option("--control", options->control, "host:port where the group dials in")->capture_default_str();
  command->add_option("--keys", options->keys, "File of API keys (`ferry keys add`); clients need one then");
  command->add_flag("--allow-unauthenticated", options->allow_unauthenticated,
                    "Let other hosts in without a key, where --listen or --control lets them reach us");
  command->callback(
      [options, &chosen] { chosen = [options] { return deploy(TemporaryYaml(yaml_of(*options)).path()); }; });
}

}  // namespace ferry
