#include "tests/sim/trial.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "core/base/check.h"
#include "core/base/error.h"
#include "tests/sim/world.h"

namespace ferry::sim {

namespace {

// What a process that tries schedules leaves for the one that waits for it.
struct Report {
  std::atomic<int64_t> schedules, requests, served, events;
  std::atomic<uint64_t> seed;
  char violation[1000];
};

class SharedReports {
 public:
  explicit SharedReports(int n) : n_(n) {
    void* at = mmap(nullptr, n * sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check(at != MAP_FAILED, "there is memory for reports");
    reports_ = new (at) Report[n]();
  }
  ~SharedReports() { munmap(reports_, n_ * sizeof(Report)); }
  SharedReports(const SharedReports&) = delete;
  SharedReports& operator=(const SharedReports&) = delete;
  Report& operator[](int i) { return reports_[i]; }

 private:
  const int n_;
  Report* reports_;
};

// Whether everything held.
bool try_out(const Schedule& schedule, Report& report) {
  try {
    World world(schedule);
    world.run();
    report.requests += world.requests().asked;
    report.served += world.requests().served;
    report.events += world.n_events();
  } catch (const std::exception& e) {
    std::strncpy(report.violation, e.what(), sizeof report.violation - 1);
    return false;
  }
  ++report.schedules;
  return true;
}

template <class Work>
pid_t child(const Work& work) {
  const pid_t pid = fork();
  check(pid >= 0, "a process can be started");
  if (pid == 0) _exit(work() ? 0 : 1);
  return pid;
}

std::optional<std::string> verdict(int status, const Report& report) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
  if (WIFEXITED(status)) return report.violation;
  return str("the process ended by signal ", WTERMSIG(status), ": a check of the core failed");
}

}  // namespace

std::optional<std::string> violation_of(const Schedule& schedule) {
  SharedReports reports(1);
  const pid_t pid = child([&] {
    const int nowhere = open("/dev/null", O_WRONLY);
    dup2(nowhere, STDERR_FILENO);
    return try_out(schedule, reports[0]);
  });
  int status = 0;
  waitpid(pid, &status, 0);
  return verdict(status, reports[0]);
}

// ---- many

std::optional<Finding> try_all(const Seeds& seeds, const std::function<void(const Tally&)>& progress) {
  SharedReports reports(seeds.n_jobs);
  std::vector<pid_t> pids;
  for (int job = 0; job < seeds.n_jobs; ++job) {
    pids.push_back(child([&, job] {
      for (uint64_t seed = seeds.begin + job; seed < seeds.end; seed += seeds.n_jobs) {
        reports[job].seed = seed;
        if (!try_out(schedule_of(seed), reports[job])) return false;
      }
      return true;
    }));
  }
  std::optional<Finding> finding;
  const auto tally = [&] {
    Tally t;
    for (int job = 0; job < seeds.n_jobs; ++job) {
      const Report& r = reports[job];
      t = {t.schedules + r.schedules, t.requests + r.requests, t.served + r.served, t.events + r.events};
    }
    return t;
  };
  for (int n_left = seeds.n_jobs; n_left > 0;) {
    bool changed = false;
    for (int job = 0; job < seeds.n_jobs; ++job) {
      int status = 0;
      if (pids[job] == 0 || waitpid(pids[job], &status, WNOHANG) != pids[job]) continue;
      pids[job] = 0;
      --n_left;
      changed = true;
      const auto violation = verdict(status, reports[job]);
      if (!violation || finding) continue;
      finding = {.seed = reports[job].seed, .violation = *violation};
      for (const pid_t pid : pids) {
        if (pid != 0) kill(pid, SIGKILL);
      }
    }
    progress(tally());
    if (!changed) usleep(20'000);
  }
  return finding;
}

}  // namespace ferry::sim
