#include "launch/process/groups.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "core/base/check.h"
#include "launch/io/log.h"
#include "launch/process/children_of.h"
#include "launch/process/temporary_folder.h"

namespace ferry {
namespace {

constexpr size_t kLastLines = 20;  // of a group, kept for the message when it ends

// How long an mpirun has lived on without one of the ranks that it had.
class LostRanks {
 public:
  Duration missing_for(pid_t mpirun, Instant now) {
    if (now < next_look_) return Duration::zero();
    next_look_ = now + std::chrono::milliseconds(100);
    const Children children = children_of(mpirun);
    most_ = std::max(most_, children.all);
    if (children.living == most_) all_there_ = now;
    return now - all_there_;
  }

 private:
  int most_ = 0;
  Instant all_there_{}, next_look_{};
};

bool is_local(const std::string& host) { return host == "localhost" || host.starts_with("localhost:"); }
bool is_here(const GroupConfig& group) { return std::ranges::all_of(group.hosts, is_local); }

// Where Open MPI has its segments, too; nullopt where the system has no such place.
std::optional<TemporaryFolder> shared_memory_folder() {
  constexpr const char* kWhere = "/dev/shm";
  if (access(kWhere, W_OK | X_OK) != 0) return std::nullopt;
  return std::optional<TemporaryFolder>(std::in_place, "ferry-mpirun", kWhere);
}

}  // namespace

ProcessCommand mpirun_command(const GroupConfig& group, const std::vector<std::string>& program,
                              const GroupFolders& folders, bool is_root) {
  std::vector<std::string> words = {"mpirun", "-n", std::to_string(group.tp)};
  const auto add = [&](std::vector<std::string> more) { words.insert(words.end(), more.begin(), more.end()); };
  // A group may have more ranks than the host has cores (tests, laptops); the default is to refuse.
  add({"--oversubscribe"});
  // Then ranks that wait must give the core away. Open MPI does that by itself only as long as nobody counts slots:
  // `-H host:2` turns it off, and an all-reduce takes 10 ms instead of 0.1.
  add({"--mca", "mpi_yield_when_idle", "1"});
  // Each mpirun would bind its ranks to the first cores of the host, where the other groups' ranks sit too, and the
  // compute threads of a rank would share its one core.
  add({"--bind-to", "none"});
  // When a rank fails or we ask for the end, the other ranks have nothing to save: without this mpirun gives them a
  // second, twice, and the group would be missing for as long.
  add({"--mca", "odls_base_sigkill_timeout", "0"});
  // A group on this host needs no -H; with one, mpirun would look for a way to reach itself.
  if (!is_here(group)) {
    add({"-H", fmt::format("{}", fmt::join(group.hosts, ","))});
    // A host that vanishes says nothing. mpirun would ask it after five minutes, then nine times in three: until then
    // the group is neither there nor gone, and its ranks on the other side of a partition live on.
    add({"--mca", "oob_tcp_keepalive_time", "2", "--mca", "oob_tcp_keepalive_intvl", "1"});
    add({"--mca", "oob_tcp_keepalive_probes", "3"});
  }
  // In /dev/shm itself, segments of a job that was killed outright stay until the host starts anew. Open MPI 5 says sm.
  if (!folders.memory.empty()) {
    add({"--mca", "btl_vader_backing_directory", folders.memory.string()});
    add({"--mca", "btl_sm_backing_directory", folders.memory.string()});
  }
  if (is_root) add({"--allow-run-as-root"});
  words.insert(words.end(), program.begin(), program.end());
  // A folder of its own: by default all of a user share one, and two that start at a time can fail over which of them
  // makes it. SIGTERM: an mpirun that is killed outright leaves its ranks behind.
  return {
      .words = std::move(words), .environment = {"TMPDIR=" + folders.files.string()}, .signal_when_we_die = SIGTERM};
}

std::string GroupExit::text() const {
  const std::string how = fmt::format("group {} ended: {}", group, exit.text());
  return last_lines.empty() ? how : fmt::format("{}; it said last:\n  {}", how, fmt::join(last_lines, "\n  "));
}

struct GroupProcesses::Running {
  Running(const GroupConfig& group, const std::vector<std::string>& program, const Sink& sink)
      : name(group.name),
        ranks_are_here(is_here(group)),
        memory(ranks_are_here ? shared_memory_folder() : std::nullopt),
        child(mpirun_command(group, program, folders(), geteuid() == 0),
              [this, &sink](std::string_view line) { hear(line, sink); }) {}

  GroupFolders folders() const {
    return {.files = files.path(), .memory = memory ? memory->path() : std::filesystem::path()};
  }

  void hear(std::string_view line, const Sink& sink) {
    sink(relayed(name, line));
    last_lines.emplace_back(line);
    if (last_lines.size() > kLastLines) last_lines.pop_front();
  }

  // An mpirun that ends with its ranks does so at once. With other hosts its children are not ranks, but what reaches
  // those hosts, and may end when it has.
  std::optional<ProcessExit> poll(Duration patience, const Sink& sink) {
    const auto exit = child.poll();
    if (exit || !ranks_are_here || lost_ranks.missing_for(child.pid(), std::chrono::steady_clock::now()) < patience)
      return exit;
    hear("a rank has ended and mpirun has not: killed", sink);
    return child.terminate(Duration::zero());
  }

  const std::string name;
  const bool ranks_are_here;
  const TemporaryFolder files{"ferry-mpirun"};
  const std::optional<TemporaryFolder> memory;
  std::deque<std::string> last_lines;
  LostRanks lost_ranks;
  Child child;
};

GroupProcesses::GroupProcesses(Sink sink, Duration patience) : sink_(std::move(sink)), patience_(patience) {}
GroupProcesses::~GroupProcesses() { stop(Child::kGrace); }

void GroupProcesses::start(const GroupConfig& group, const std::vector<std::string>& program) {
  for (const auto& running : running_) check(running->name != group.name, "a group is started once at a time");
  running_.push_back(std::make_unique<Running>(group, program, sink_));
}

std::optional<GroupExit> GroupProcesses::poll() {
  for (auto it = running_.begin(); it != running_.end(); ++it) {
    const std::optional<ProcessExit> exit = (*it)->poll(patience_, sink_);
    if (!exit) continue;
    GroupExit ended{
        .group = (*it)->name, .exit = *exit, .last_lines = {(*it)->last_lines.begin(), (*it)->last_lines.end()}};
    running_.erase(it);
    return ended;
  }
  return std::nullopt;
}

void GroupProcesses::stop(Duration grace) {
  for (const auto& running : running_) running->child.ask_to_end();
  const Instant until = std::chrono::steady_clock::now() + grace;
  for (const auto& running : running_) running->child.terminate(until - std::chrono::steady_clock::now());
  running_.clear();
}

}  // namespace ferry
