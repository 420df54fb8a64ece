#include "launch/commands/generate.h"

#include <spdlog/spdlog.h>

#include "core/base/error.h"
#include "core/router/router.h"
#include "launch/commands/model_options.h"
#include "launch/commands/prompt_options.h"
#include "launch/front/front.h"
#include "launch/front/printer.h"
#include "launch/process/host_memory.h"
#include "launch/runtime/compose.h"
#include "launch/runtime/rank_compute.h"

namespace ferry {

namespace {

struct GenerateOptions {
  ClusterConfig config;  // defaults of a cluster.yaml, changed by options
  GroupConfig group = {.name = "local", .role = GroupConfig::Role::mixed};
  PromptOptions prompts;
};

// Requests go router → engine → router in one thread: the way of a cluster without its network.
class LocalService {
 public:
  LocalService(Member& member, Router& router) : member_(member), router_(router) {
    router_.message(kStream, wire::Hello{.group = member.info()});
  }

  void turn() {
    for (const auto& [stream, message] : router_.take_to_leaders()) member_.engine().handle(message);
    member_.leader().turn();
    for (const auto& message : member_.engine().take_to_router()) router_.message(kStream, message);
  }

  void stop() {
    member_.engine().handle(wire::ToLeader(wire::Stop{}));
    while (member_.leader().turn() != Leader::Turn::last) continue;
  }

 private:
  static constexpr StreamId kStream = 0;
  Member& member_;
  Router& router_;
};

int answer(const GenerateOptions& options, const ModelFile& file, const TextModel& text, Member& member) {
  const SteadyClock clock;
  Router router({.model_hash = file.hash, .epoch = new_epoch()}, clock);
  LocalService service(member, router);
  PromptSource prompts(options.prompts);
  const bool stream = options.prompts.file.empty() && !options.prompts.json;
  const OutputForm form = options.prompts.json ? OutputForm::json : OutputForm::text;
  const FrontSettings settings = {.max_tokens = options.prompts.max_tokens,
                                  .budget = std::chrono::hours(24 * 365),  // one's own machine takes the time it takes
                                  .window = options.config.scheduling.max_sequences};
  Front front(
      text, router, [&] { return prompts.next(); }, settings, stream ? streaming_sinks() : printing_sinks(form));
  while (!front.done()) {
    front.turn();
    service.turn();
  }
  service.stop();
  return front.n_failed() > 0 ? kSomeFailed : kDone;
}

int run(const GenerateOptions& options) {
  const ClusterConfig& config = options.config;
  OwnGroup own;
  Communicator& host = own.communicator();
  const SteadyClock clock;
  const ModelFile file(config.model);
  const TextModel text(file, config.chat_format);
  const GroupSettings settings = settings_of(config, options.group, text.end_tokens());
  RankCompute compute(config, host, {.ranks = own.ranks_on_this_host(), .card_turn = own.local_rank()},
                      card_need(file, settings, config.cuda.weights, host.size(), host.rank()));
  const size_t kv_bytes = kv_plan(file, settings.kv, host.size()).bytes(host.rank());
  if (!compute.on_card()) require_room(host_memory(), kv_bytes, own.ranks_on_this_host());
  const DeviceArray<std::byte> kv(compute.ops().device(), kv_bytes);
  const auto link = make_local_link({kv.data(), kv.size()});
  Member member(file, settings, {compute.ops(), compute.group(), *link, clock});
  if (!member.leads()) {
    member.follow();
    return kDone;
  }
  spdlog::log(compute.on_card() ? spdlog::level::info : spdlog::level::debug, "computes on {}", compute.text());
  return answer(options, file, text, member);
}

}  // namespace

void add_generate(CLI::App& app, Chosen& chosen) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand("generate", "Answer prompts with one group; under mpirun, a TP group");
  command->footer(
      "Example:\n"
      "  ferry generate --model build/models/smollm2-135m-instruct-q4_1.gguf --chat --prompt 'What is a ferry?'\n"
      "  mpirun -n 2 ferry generate --model FILE.gguf --prompts prompts.jsonl --json");
  add_model_options(*command, options->config);
  command->add_option("--prompt", options->prompts.text, "The text to go on from");
  add_prompt_options(*command, options->prompts);
  command->callback([command, options, &chosen] {
    if (command->count("--prompt") + command->count("--prompts") != 1) {
      throw CLI::ValidationError("give one of --prompt TEXT and --prompts FILE");
    }
    chosen = [options] { return run(*options); };
  });
}

}  // namespace ferry
