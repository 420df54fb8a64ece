#include "launch/process/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/error.h"

namespace ferry {
namespace {

// Everything that the child needs between fork and exec, where it may not allocate.
struct Launch {
  std::vector<char*> words;  // null-terminated, as exec wants them
  std::vector<char*> environment;
  int signal_when_we_die = 0;
  pid_t parent = 0;
  int out = -1;
  int err = -1;
  int failure = -1;  // takes errno when exec fails; closes when it does not
};

// In the child: only async-signal-safe calls.
[[noreturn]] void become(const Launch& launch) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, launch.signal_when_we_die);
  if (getppid() != launch.parent) _exit(1);  // died before we asked to be told
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);  // ours survives exec; a child that blocks SIGTERM could not be stopped
  signal(SIGPIPE, SIG_DFL);
  const int nothing = open("/dev/null", O_RDONLY);
  dup2(nothing, STDIN_FILENO);
  dup2(launch.out, STDOUT_FILENO);
  dup2(launch.err, STDERR_FILENO);
  execvpe(launch.words[0], launch.words.data(), launch.environment.data());
  const int why = errno;
  [[maybe_unused]] const ssize_t n = write(launch.failure, &why, sizeof why);
  _exit(127);
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Ours with some added or replaced.
std::vector<std::string> environment_with(const std::vector<std::string>& added) {
  std::vector<std::string> all = added;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view ours = *entry;
    const std::string_view name = ours.substr(0, ours.find('=') + 1);
    const bool is_replaced = std::ranges::any_of(added, [&](const std::string& a) { return a.starts_with(name); });
    if (!is_replaced) all.emplace_back(ours);
  }
  return all;
}

// errno of an exec that failed; 0 once the child runs its program.
int exec_failure(int pipe_end) {
  int why = 0;
  while (read(pipe_end, &why, sizeof why) < 0 && errno == EINTR) continue;
  return why;
}

ProcessExit exit_of(int wait_status) {
  if (WIFSIGNALED(wait_status)) return {.status = 0, .signal = WTERMSIG(wait_status)};
  return {.status = WEXITSTATUS(wait_status), .signal = 0};
}

Instant now() { return std::chrono::steady_clock::now(); }

// How long a process may be gone before we see it, when others keep its pipes open.
constexpr Duration kLookEvery = std::chrono::milliseconds(10);

}  // namespace

std::string ProcessExit::text() const {
  return signal == 0 ? fmt::format("exit status {}", status)
                     : fmt::format("killed by signal {} ({})", signal, strsignal(signal));
}

Child::Child(const ProcessCommand& command, OnLine on_line) : on_line_(std::move(on_line)) {
  std::vector<std::string> words = command.words;
  std::vector<std::string> environment = environment_with(command.environment);
  int failure[2];
  if (pipe2(failure, O_CLOEXEC) != 0) throw Error(str("cannot make a pipe: ", std::strerror(errno)));
  const Launch launch{.words = pointers_to(words),
                      .environment = pointers_to(environment),
                      .signal_when_we_die = command.signal_when_we_die,
                      .parent = getpid(),
                      .out = pipes_[0].open(),
                      .err = pipes_[1].open(),
                      .failure = failure[1]};
  pid_ = fork();
  if (pid_ == 0) become(launch);
  int why = pid_ < 0 ? errno : 0;
  for (const int end : {launch.out, launch.err, launch.failure}) close(end);
  if (pid_ > 0) {
    setpgid(pid_, pid_);  // here too, so that the group exists whoever runs first
    why = exec_failure(failure[0]);
    if (why != 0) waitpid(pid_, nullptr, 0);
  }
  close(failure[0]);
  if (why != 0) throw Error(str("cannot start ", words[0], ": ", std::strerror(why)));
}

Child::~Child() { terminate(kGrace); }

std::optional<ProcessExit> Child::poll(Duration patience) {
  const Instant until = now() + patience;
  do {
    read_pipes(until - now());
    collect();
  } while (!exit_ && now() < until);
  return exit_;
}

void Child::ask_to_end() {
  if (!exit_ && !asked_to_end_) kill(-pid_, SIGTERM);
  asked_to_end_ = true;
}

ProcessExit Child::terminate(Duration grace) {
  ask_to_end();
  if (!poll(grace)) kill(-pid_, SIGKILL);
  while (!exit_) poll(kLookEvery);
  return *exit_;
}

void Child::read_pipes(Duration patience) {
  std::array<pollfd, 2> fds;
  for (size_t i = 0; i < 2; ++i) fds[i] = {.fd = pipes_[i].fd(), .events = POLLIN, .revents = 0};
  const Duration wait = std::clamp(patience, Duration::zero(), kLookEvery);
  ::poll(fds.data(), fds.size(), static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count()));
  for (LinePipe& pipe : pipes_) pipe.read(on_line_);
}

void Child::collect() {
  siginfo_t info{};
  const bool ended =
      !exit_ && waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  if (!ended) return;
  kill(-pid_, SIGKILL);  // what it started and left behind; as long as it is not reaped, the group's number is its own
  for (LinePipe& pipe : pipes_) {
    pipe.read(on_line_);
    pipe.end(on_line_);
  }
  int status = 0;
  waitpid(pid_, &status, 0);
  exit_ = exit_of(status);
}

}  // namespace ferry
