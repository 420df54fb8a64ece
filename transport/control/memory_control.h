#pragma once
// Control streams within one process: the same promises as over a network, without one. For tests, simulations and a
// cluster in one process.

#include <memory>

#include "core/seam/control_stream.h"

namespace ferry {

// One place to listen and dial; ends may be made, used and destroyed on threads of their own. It outlives them.
class MemoryControl {
 public:
  MemoryControl();
  ~MemoryControl();
  MemoryControl(const MemoryControl&) = delete;
  MemoryControl& operator=(const MemoryControl&) = delete;

  // One at a time. Whoever dials, or dialed before, gets a stream to it.
  std::unique_ptr<ControlStream> listen();

  // Has a stream whenever there is a server; when it breaks, gets a new one.
  std::unique_ptr<ControlStream> dial();

 private:
  class Hub;
  class End;
  std::unique_ptr<Hub> hub_;
};

}  // namespace ferry
