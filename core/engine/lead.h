#pragma once
// A leader's life: joins the router, and again whenever it comes back, and serves until it is told to stop.

#include "core/engine/member.h"
#include "core/seam/control_stream.h"

namespace ferry {

// Returns when the router says Stop and the group's last step has run. Error when the router refuses the group.
void lead(Member& member, ControlStream& control);

}  // namespace ferry
