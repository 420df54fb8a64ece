#pragma once
// Ctrl-C and SIGTERM as something to ask about, for commands that have others to stop before they end.

namespace ferry {

// Make it before the first thread: threads made later inherit that these signals are not delivered to them. Child
// processes get them as ever.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  bool received();                // since it was made; stays true
  int fd() const { return fd_; }  // readable when a signal came, for those who poll()

 private:
  int fd_ = -1;
  bool received_ = false;
};

}  // namespace ferry
