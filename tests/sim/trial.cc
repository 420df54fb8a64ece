#include "tests/sim/trial.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>

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
  int size() const { return n_; }

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

// Processes that share a range of seeds.
class Jobs {
 public:
  explicit Jobs(const Seeds& seeds) : reports_(seeds.n_jobs) {
    for (int job = 0; job < seeds.n_jobs; ++job) {
      pids_[job] = child([&, job] {
        for (uint64_t seed = seeds.begin + job; seed < seeds.end; seed += seeds.n_jobs) {
          reports_[job].seed = seed;
          if (!try_out(schedule_of(seed), reports_[job])) return false;
        }
        return true;
      });
    }
  }

  bool running() const { return !pids_.empty(); }
  const std::optional<Finding>& finding() const { return finding_; }

  // Waits a moment for processes to end. The first that finds something ends all.
  void wait() {
    usleep(20'000);
    for (const auto& [job, pid] : std::map<int, pid_t>(pids_)) {
      int status = 0;
      if (waitpid(pid, &status, WNOHANG) != pid) continue;
      pids_.erase(job);
      const auto violation = verdict(status, reports_[job]);
      if (!violation || finding_) continue;
      finding_ = {.seed = reports_[job].seed, .violation = *violation};
      for (const auto& [other, still] : pids_) kill(still, SIGKILL);
    }
  }

  Tally tally() {
    Tally t;
    for (int job = 0; job < reports_.size(); ++job) {
      const Report& r = reports_[job];
      t = {t.schedules + r.schedules, t.requests + r.requests, t.served + r.served, t.events + r.events};
    }
    return t;
  }

 private:
  SharedReports reports_;
  std::map<int, pid_t> pids_;  // of jobs that run
  std::optional<Finding> finding_;
};

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

std::optional<Finding> try_all(const Seeds& seeds, const std::function<void(const Tally&)>& progress) {
  Jobs jobs(seeds);
  while (jobs.running()) {
    jobs.wait();
    progress(jobs.tally());
  }
  return jobs.finding();
}

}  // namespace ferry::sim
