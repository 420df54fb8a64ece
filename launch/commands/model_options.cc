#include "launch/commands/model_options.h"

#include "launch/commands/enum_option.h"
#include "launch/config/byte_size.h"

namespace ferry {

void add_model_options(CLI::App& command, ClusterConfig& config) {
  command
      .add_option_function<std::string>(
          "--model", [&config](const std::string& path) { config.model = path; }, "GGUF file")
      ->required()
      ->type_name("FILE");
  add_enum_option(command, "--compute", config.compute, "What computes");
  command.add_option("--threads", config.threads, "Threads of each rank; default: this host's cores over its ranks");
  command.add_option("--chat-format", config.chat_format, "auto, or chatml, llama3, mistral, gemma")
      ->capture_default_str();
  command.add_option("--page-tokens", config.kv.page_tokens, "Tokens in a KV page")->capture_default_str();
  add_enum_option(command, "--kv-dtype", config.kv.dtype, "Type of the KV cache");
  command.add_option_function<std::string>(
      "--kv-memory",
      [&config](const std::string& text) {
        const auto bytes = parse_byte_size(text);
        if (!bytes) throw CLI::ValidationError("--kv-memory", text + " is no size; write 256MiB, 2GiB, ...");
        config.kv.memory = *bytes;
      },
      "KV memory of each rank; default 256MiB");
  command.add_option("--max-batch-tokens", config.scheduling.max_batch_tokens, "Tokens of one step")
      ->capture_default_str();
  command.add_option("--max-sequences", config.scheduling.max_sequences, "Sequences at a time")->capture_default_str();
  add_overrides_option(command, config);
}

void add_overrides_option(CLI::App& command, ClusterConfig& config) {
  command
      .add_option_function<Overrides>(
          "--set", [&config](const Overrides& overrides) { apply_overrides(config, overrides); },
          "Any key of cluster.yaml: --set cuda.products=f32")
      ->type_name("KEY=VALUE");
}

}  // namespace ferry
