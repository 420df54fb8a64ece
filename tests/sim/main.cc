// ferry-sim: simulated clusters, by the million.

#include <charconv>
#include <chrono>
#include <iostream>
#include <string_view>

#include "core/base/error.h"
#include "tests/sim/trial.h"
#include "tests/sim/world.h"

namespace ferry::sim {
namespace {

constexpr std::string_view kUsage =
    R"(ferry-sim: tries schedules of faults on simulated clusters, until one breaks a promise.

  ferry-sim --seeds A:B [--jobs N]   the schedules of seeds A to B, B not included
  ferry-sim --seed S [--verbose]     one schedule; verbose: what happens in it
  ferry-sim --shrink S               the smallest schedule that breaks the same promise as S, and what happens in it
)";

struct Options {
  Seeds seeds;
  bool verbose = false;
  bool shrink = false;
};

uint64_t number(std::string_view text) {
  uint64_t n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) throw Error(str("'", text, "' is no number"));
  return n;
}

Options options_of(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--verbose") {
      options.verbose = true;
      continue;
    }
    if (i + 1 == argc) throw Error(str(kUsage));
    const std::string_view value = argv[++i];
    if (name == "--seeds") {
      const size_t colon = value.find(':');
      if (colon == value.npos) throw Error("--seeds takes A:B");
      options.seeds.begin = number(value.substr(0, colon));
      options.seeds.end = number(value.substr(colon + 1));
    } else if (name == "--jobs") {
      options.seeds.n_jobs = static_cast<int>(number(value));
    } else if (name == "--seed" || name == "--shrink") {
      options.seeds.begin = number(value);
      options.seeds.end = options.seeds.begin + 1;
      options.shrink = name == "--shrink";
    } else {
      throw Error(str("no option ", name, "\n\n", kUsage));
    }
  }
  if (options.seeds.begin >= options.seeds.end || options.seeds.n_jobs < 1) throw Error(str(kUsage));
  return options;
}

// What happens in a schedule, as it happens: also when the process aborts.
int show(const Schedule& schedule) {
  std::cout << in_words(schedule) << std::unitbuf;
  try {
    World world(schedule, &std::cout);
    world.run();
  } catch (const Violation& violation) {
    std::cout << "VIOLATION: " << violation.what() << "\n";
    return 1;
  }
  std::cout << "everything holds\n";
  return 0;
}

int try_seeds(const Seeds& seeds) {
  using Steady = std::chrono::steady_clock;
  const auto begin = Steady::now();
  auto told = begin;
  Tally last;
  const auto per_second = [&] {
    return static_cast<int64_t>(static_cast<double>(last.schedules) /
                                std::chrono::duration<double>(Steady::now() - begin).count());
  };
  const auto finding = try_all(seeds, [&](const Tally& tally) {
    last = tally;
    if (Steady::now() - told < std::chrono::seconds(5)) return;
    told = Steady::now();
    std::cout << tally.schedules << " schedules, " << per_second() << " a second" << std::endl;
  });
  std::cout << last.schedules << " schedules (" << per_second() << " a second), " << last.events << " events, "
            << last.served << " of " << last.requests << " requests served to the end\n";
  if (!finding) return 0;
  std::cout << "seed " << finding->seed << " VIOLATION: " << finding->violation << "\n"
            << "replay: ferry-sim --seed " << finding->seed << " --verbose\n";
  return 1;
}

int run(const Options& options) {
  const Schedule schedule = schedule_of(options.seeds.begin);
  if (options.shrink) return show(shrunk(schedule));
  if (options.verbose) return show(schedule);
  return try_seeds(options.seeds);
}

}  // namespace
}  // namespace ferry::sim

int main(int argc, char** argv) {
  try {
    return ferry::sim::run(ferry::sim::options_of(argc, argv));
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 2;
  }
}
