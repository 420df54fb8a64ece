#include "tests/sim/world.h"

#include "core/base/error.h"

namespace ferry::sim {

namespace {

// When the storm is over and nobody waits any more, everything has to come to rest in this time.
constexpr Duration kAftermath = std::chrono::seconds(1);
// Groups that lost each other find each other again in this time, whatever messages got lost.
constexpr Duration kReunion = std::chrono::seconds(60);
constexpr Duration kPlenty = std::chrono::seconds(2);  // of time for a request in a calm cluster
constexpr Duration kLook = std::chrono::milliseconds(10);
// Far more than any schedule needs: a loop that never quiesces gets there.
constexpr int64_t kMostEvents = 400'000;

}  // namespace

World::World(const Schedule& schedule, std::ostream* log)
    : schedule_(schedule),
      random_(schedule.seed),
      weather_(schedule, timeline_, random_),
      log_(log ? Log(*log, timeline_) : Log()),
      around_{schedule_, timeline_, weather_, random_, log_},
      fabric_(schedule, timeline_, weather_, random_),
      switchboard_(schedule, timeline_, weather_, random_),
      groups_(schedule.groups.size()) {
  start_router();
  for (Host host = 0; host < schedule.router(); ++host) start(host);
  for (const RequestPlan& request : schedule.requests) {
    timeline_.after(request.at, [this, &request] { router().submit(request); });
  }
  for (const Fault& fault : schedule.faults) {
    timeline_.after(fault.at, [this, &fault] { begin(fault); });
  }
}

void World::run() {
  run_for(schedule_.storm_end());
  come_to_rest();
  serve_again();
  come_to_rest();
}

void World::come_to_rest() {
  wait_for([this] { return router().clients().n_waiting() == 0; }, kPlenty, kLook);
  const bool rests = wait_for([this] { return at_rest(); }, kAftermath, kLook);
  for (Host host = 0; host < schedule_.router(); ++host) {
    if (!group(host).process().ended()) group(host).check_at_rest();
  }
  if (!rests) throw Violation("the router does not come to rest");
}

void World::serve_again() {
  const Paths to_come = paths_to_come();
  const size_t n_paths = to_come.size();
  if (!wait_for([&] { return paths() == to_come; }, kReunion, kLook))
    throw Violation(str(paths().size(), " paths are there after the storm, and not the ", n_paths, " that should be"));
  const Clients& clients = router().clients();
  const int n_served = clients.n_served();
  const RequestPlan plan = {.request = {.prompt = {1, 2, 3, 4, 5}, .max_tokens = 2}, .budget = kPlenty};
  for (size_t i = 0; i < n_paths; ++i) router().submit(plan);
  wait_for([&] { return clients.n_waiting() == 0; }, 2 * kPlenty, kLook);
  if (clients.n_served() != n_served + static_cast<int>(n_paths)) throw Violation("a request fails after the storm");
}

// As the router knows them: some may lead to a group that is dead, which it has not noticed yet.
World::Paths World::paths() {
  Paths all;
  for (const PairReport& path : router().router().paths()) all.emplace(path.prefill, path.decode);
  return all;
}

World::Paths World::paths_to_come() {
  Paths all;
  for (Host from = 0; from < schedule_.router(); ++from) {
    for (Host to = 0; to < schedule_.router(); ++to) {
      if (group(from).process().ended() || group(to).process().ended()) continue;
      const wire::Role sends = schedule_.groups[from].role, gets = schedule_.groups[to].role;
      const bool fit = sends != wire::Role::decode && gets != wire::Role::prefill;
      if (fit && (sends != gets || from == to)) all.emplace(schedule_.groups[from].name, schedule_.groups[to].name);
    }
  }
  return all;
}

bool World::wait_for(const std::function<bool()>& condition, Duration patience, Duration look) {
  const Instant end = timeline_.now() + patience;
  while (!condition()) {
    if (timeline_.now() > end) return false;
    run_for(look);
  }
  return true;
}

void World::run_for(Duration duration) {
  const Instant end = timeline_.now() + duration;
  while (timeline_.has_event_until(end)) step();
  timeline_.pass(end);
}

void World::step() {
  timeline_.step();
  if (timeline_.n_events() > kMostEvents) throw Violation("it goes on and on");
}

bool World::at_rest() {
  for (Host host = 0; host < schedule_.router(); ++host) {
    if (group(host).process().ended()) continue;
    const wire::Stats stats = group(host).engine().stats();
    if (!stats.idle() || stats.pages.free != stats.pages.total()) return false;
  }
  const Router& r = router().router();
  return router().clients().n_waiting() == 0 && r.n_served() == 0 && r.n_aborting() == 0;
}

World::Count World::requests() const {
  Count count;
  for (const auto& router : routers_) {
    count.asked += router->clients().n_asked();
    count.served += router->clients().n_served();
  }
  return count;
}

// ---- processes

void World::start(Host host) {
  log_.line(schedule_.groups[host].name, str("starts, epoch ", next_epoch_));
  groups_[host].push_back(
      std::make_unique<SimGroup>(around_, SimGroup::Life{.host = host, .epoch = next_epoch_++}, fabric_, switchboard_));
}

void World::start_router() {
  log_.line("router", str("starts, epoch ", next_epoch_));
  routers_.push_back(std::make_unique<SimRouter>(around_, next_epoch_++, switchboard_));
}

Process& World::process_at(Host host) {
  return host == schedule_.router() ? router().process() : group(host).process();
}

// ---- faults

void World::begin(const Fault& fault) {
  log_.line("fault", in_words(fault, schedule_));
  weather_.begin(fault);
  switch (fault.kind) {
    case FaultKind::crash:
    case FaultKind::crash_forever:
      return crash(fault);
    case FaultKind::pause:
      return pause(fault);
    case FaultKind::break_stream:
      return switchboard_.break_stream_of(fault.a);
    case FaultKind::partition:
      fabric_.parted(fault.a, fault.b);
      return switchboard_.parted(fault.a, fault.b);
    default:
      return;  // that is how the weather is now
  }
}

void World::crash(const Fault& fault) {
  Process& process = process_at(fault.a);
  if (process.ended()) return;
  process.end();
  fabric_.ended(process);
  switchboard_.ended(process);
  if (fault.kind == FaultKind::crash_forever) return;
  timeline_.after(fault.lasts, [this, host = fault.a] {
    if (host == schedule_.router()) return start_router();
    start(host);
  });
}

void World::pause(const Fault& fault) {
  Process& process = process_at(fault.a);
  if (!process.running()) return;
  process.pause();
  fabric_.paused(process);
  switchboard_.paused(process);
  timeline_.after(fault.lasts, [this, &process, host = fault.a] {
    log_.line(host == schedule_.router() ? "router" : schedule_.groups[host].name, "goes on");
    process.resume();
  });
}

}  // namespace ferry::sim
