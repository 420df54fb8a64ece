// The program: its commands, what is common to them, and the one place where an Error ends it.

#include <algorithm>
#include <iostream>
#include <map>

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "launch/commands/batch.h"
#include "launch/commands/bench.h"
#include "launch/commands/cluster.h"
#include "launch/commands/command.h"
#include "launch/commands/doctor.h"
#include "launch/commands/drain.h"
#include "launch/commands/explain.h"
#include "launch/commands/generate.h"
#include "launch/commands/keys.h"
#include "launch/commands/plan.h"
#include "launch/commands/router.h"
#include "launch/commands/serve.h"
#include "launch/commands/tokenize.h"
#include "launch/commands/top.h"
#include "launch/commands/up.h"
#include "launch/commands/worker.h"
#include "launch/config/nearest.h"
#include "launch/io/log.h"
#include "launch/version.h"

namespace ferry {
namespace {

// In the order of `ferry --help`.
constexpr void (*kCommands[])(CLI::App& app, Chosen& chosen) = {
    add_generate, add_batch,   add_cluster, add_serve, add_up,     add_router,   add_worker, add_drain,
    add_top,      add_explain, add_plan,    add_bench, add_doctor, add_tokenize, add_keys,
};

// With it all commands fit a screen of 24 lines; a test counts.
constexpr const char* kFooter =
    "Before the command: -v, -vv logs more, -q, -qq less; --log json; --version\n"
    "Example: ferry doctor launch/examples/quickstart.yaml\n"
    "Exit codes: 0 done, 1 not as needed, 2 usage, 3 some requests failed";
constexpr size_t kNameColumn = 20;

struct Common {
  int verbose = 0;
  int quiet = 0;
  LogForm log = LogForm::text;

  spdlog::level::level_enum level() const {
    return static_cast<spdlog::level::level_enum>(std::clamp(spdlog::level::info - verbose + quiet, 0, 6));
  }
};

void describe(CLI::App& app, Common& common) {
  app.require_subcommand(1);
  app.fallthrough();
  app.footer(kFooter);
  app.get_formatter()->column_width(kNameColumn);
  app.get_help_ptr()->group("");  // the footer says it in a line
  app.set_version_flag("--version", [] { return "ferry " + version() + " (" + build_summary() + ")"; })->group("");
  app.add_flag("-v,--verbose", common.verbose, "log more; twice: everything")->group("");
  app.add_flag("-q,--quiet", common.quiet, "log warnings only; twice: errors only")->group("");
  app.add_option("--log", common.log, "log as text or json, a line each")
      ->transform(CLI::Transformer(std::map<std::string, LogForm>{{"text", LogForm::text}, {"json", LogForm::json}}))
      ->group("");
}

// What is no option and no command stands in remaining(); the library only says that a command is required.
int explain(const CLI::App& app, const CLI::ParseError& e) {
  const std::vector<std::string> unknown = app.remaining();
  if (unknown.empty() || unknown[0].starts_with('-')) return app.exit(e) == 0 ? kDone : kUsage;  // --help is exit 0
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  const std::vector<std::string_view> known(names.begin(), names.end());
  std::cerr << "ferry: no command " << ferry::quoted(unknown[0]) << "; did you mean '" << nearest(unknown[0], known)
            << "'? `ferry --help` lists all.\n";
  return kUsage;
}

int run(int argc, char** argv) {
  CLI::App app("LLM inference on clusters: prefill and decode in groups of their own");
  Common common;
  describe(app, common);
  Chosen chosen;
  for (const auto add : kCommands) add(app, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return explain(app, e);
  }
  set_up_log(common.level(), common.log);
  return chosen();
}

}  // namespace
}  // namespace ferry

int main(int argc, char** argv) {
  try {
    return ferry::run(argc, argv);
  } catch (const ferry::Error& e) {
    std::cerr << "ferry: " << e.what() << '\n';
    return ferry::kWorldNotAsNeeded;
  }
}
