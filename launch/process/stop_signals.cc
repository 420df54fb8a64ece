#include "launch/process/stop_signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "core/base/error.h"

namespace ferry {
namespace {

sigset_t signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t set = signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  if (fd_ < 0) throw Error(str("cannot watch for signals: ", std::strerror(errno)));
}

StopSignals::~StopSignals() {
  received();  // what came must not end the process the moment it is delivered again
  const sigset_t set = signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  close(fd_);
}

bool StopSignals::received() {
  signalfd_siginfo info;
  while (read(fd_, &info, sizeof info) == sizeof info) received_ = true;
  return received_;
}

}  // namespace ferry
