#include "launch/commands/keys.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>

#include "launch/auth/key_file.h"

namespace ferry {

namespace {

struct Options {
  std::string file, name;
  double weight = 1;
  std::optional<int> max_streams, max_queued;
  bool admin = false;
};

int add(const Options& options) {
  NewKey key = make_key(options.name);
  key.kept.weight = options.weight;
  key.kept.max_streams = options.max_streams;
  key.kept.max_queued = options.max_queued;
  key.kept.admin = options.admin;
  add_key(options.file, key.kept);
  fmt::print("{}\n", key.shown);
  fmt::print(stderr, "That is the key of {}. It is kept nowhere: {} has its hash only.\n", options.name, options.file);
  return kDone;
}

int list(const Options& options) {
  for (const ApiKey& key : load_keys(options.file)) {
    std::string line = line_of(key);
    const size_t hash = line.find(' '), rest = line.find(' ', hash + 1);
    fmt::print("{}{}\n", line.substr(0, hash), rest == std::string::npos ? "" : line.substr(rest));
  }
  return kDone;
}

int remove(const Options& options) {
  remove_key(options.file, options.name);
  return kDone;
}

CLI::App* add_part(CLI::App& keys, Chosen& chosen, const std::shared_ptr<Options>& options,
                   std::pair<const char*, const char*> words, int (*run)(const Options&)) {
  CLI::App* command = keys.add_subcommand(words.first, words.second);
  command->add_option("file", options->file, "router.keys of a cluster.yaml")->required();
  command->callback([options, run, &chosen] { chosen = [options, run] { return run(*options); }; });
  return command;
}

}  // namespace

void add_keys(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<Options>();
  CLI::App* keys = app.add_subcommand("keys", "Who may use a router: add, list, remove API keys");
  keys->require_subcommand(1);
  keys->footer(
      "Example: (the router sees the change by itself)\n"
      "  ferry keys add clients.keys alice --max-streams 8 --weight 2");
  CLI::App* adding = add_part(*keys, chosen, options, {"add", "Make a key and print it, once"}, add);
  adding->add_option("name", options->name, "Whose it is, for logs and records")->required();
  adding->add_option("--weight", options->weight, "Its share beside others");
  adding->add_option("--max-streams", options->max_streams,
                     "Choices at a time; default: router.limits.streams_per_key");
  adding->add_option("--max-queued", options->max_queued, "Choices that wait; default: router.limits.queued_per_key");
  adding->add_flag("--admin", options->admin, "It may operate the cluster, too: ferry drain");
  add_part(*keys, chosen, options, {"list", "Names, and what each may"}, list);
  CLI::App* removing = add_part(*keys, chosen, options, {"remove", "Take a key away"}, remove);
  removing->add_option("name", options->name, "Whose")->required();
}

}  // namespace ferry
