#pragma once
// For tests: a process that stops or kills itself at a named place of the protocol.

#include "core/base/milestones.h"

namespace ferry {

// FERRY_TEST_STOP="who/place/n=SIGNAL[,…]": the process that is called `who` ("router", "decode-0:1" for a rank) sends
// itself SIGNAL (STOP, KILL) when it reaches the place for the n-th time. Without the variable: nothing.
Milestones milestones_of(const std::string& who);

}  // namespace ferry
