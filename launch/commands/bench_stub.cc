#include "launch/commands/bench_stub.h"

#include <spdlog/spdlog.h>

#include <memory>
#include <thread>

#include "launch/bench/stub_group.h"
#include "launch/process/stop_signals.h"

namespace ferry {

namespace {

struct StubOptions {
  std::string model, router;
  double step_ms = 20, prefill_ms = 0;
};

int run(const StubOptions& o) {
  StopSignals signals;
  StubGroup stub(stub_rules(o.model, ms(o.prefill_ms), ms(o.step_ms)), o.router);
  spdlog::info("stub: a token every {} ms, after {} ms; router at {}", o.step_ms, o.prefill_ms, o.router);
  while (!signals.received() && !stub.ended()) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  stub.end();
  return kDone;
}

}  // namespace

void add_bench_stub(CLI::App& bench, Chosen& chosen) {
  auto o = std::make_shared<StubOptions>();
  CLI::App* command = bench.add_subcommand("stub", "A group without a model: one token again and again");
  command->footer("Example:\n  ferry router cluster.yaml & ferry bench stub --model FILE.gguf --router 127.0.0.1:8001");
  command->add_option("--model", o->model, "Whose tokens: the router's model")->required()->type_name("FILE");
  command->add_option("--router", o->router, "host:port where leaders dial in")->required();
  command->add_option("--step", o->step_ms, "Time between tokens, ms")->capture_default_str();
  command->add_option("--prefill", o->prefill_ms, "Time before the first one, ms")->capture_default_str();
  command->callback([o, &chosen] { chosen = [o] { return run(*o); }; });
}

}  // namespace ferry
