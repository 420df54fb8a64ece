#pragma once
// A child process that cannot outlive us: it leads a process group of its own, is told to end when we die, and is
// stopped by the destructor. What it prints arrives line by line while it is polled; it stands still when nobody polls
// and its pipe is full. Spawn and poll from the same long-lived thread: the kernel ties a child to the *thread* that
// made it.

#include <sys/types.h>

#include <array>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/seam/clock.h"
#include "launch/process/line_pipe.h"

namespace ferry {

struct ProcessCommand {
  std::vector<std::string> words;        // the program (looked up in PATH) and its arguments
  std::vector<std::string> environment;  // "NAME=value", added to ours
  int signal_when_we_die = SIGTERM;
};

struct ProcessExit {
  int status = 0;  // of exit(); 0 when a signal ended it
  int signal = 0;  // 0: it ended by itself

  bool well() const { return status == 0 && signal == 0; }
  std::string text() const;  // "exit status 3", "killed by signal 9 (Killed)"
  bool operator==(const ProcessExit&) const = default;
};

class Child {
 public:
  using OnLine = std::function<void(std::string_view line)>;  // of stdout and stderr, without its end

  // Error when the program cannot be started.
  Child(const ProcessCommand& command, OnLine on_line);
  ~Child();  // terminate(kGrace)
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }

  // Passes on what was printed, for at most `patience`; how it ended, once it has. All of its output comes first.
  std::optional<ProcessExit> poll(Duration patience = Duration::zero());

  // SIGTERM to the process group, once: mpirun takes a second one for impatience and leaves its ranks behind.
  void ask_to_end();
  // ask_to_end(), then SIGKILL to what is left of the group after `grace`.
  ProcessExit terminate(Duration grace);

  static constexpr Duration kGrace = std::chrono::seconds(5);

 private:
  void read_pipes(Duration patience);
  void collect();

  OnLine on_line_;
  pid_t pid_ = 0;
  std::array<LinePipe, 2> pipes_;  // stdout, stderr
  std::optional<ProcessExit> exit_;
  bool asked_to_end_ = false;
};

}  // namespace ferry
