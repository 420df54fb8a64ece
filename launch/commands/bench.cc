#include "launch/commands/bench.h"

#include "launch/commands/bench_allreduce.h"
#include "launch/commands/bench_handoff.h"
#include "launch/commands/bench_model.h"
#include "launch/commands/bench_serve.h"
#include "launch/commands/bench_stub.h"
#include "launch/commands/bench_transfer.h"

namespace ferry {

void add_bench(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("bench", "Measure, beside the machine's limits in the same run");
  command->require_subcommand(1);
  add_bench_allreduce(*command, chosen);
  add_bench_handoff(*command, chosen);
  add_bench_model(*command, chosen);
  add_bench_serve(*command, chosen);
  add_bench_stub(*command, chosen);
  add_bench_transfer(*command, chosen);
}

}  // namespace ferry
