#include "launch/process/die_with_parent.h"

#include <sys/prctl.h>

#include <csignal>

namespace ferry {

void die_with_parent() { prctl(PR_SET_PDEATHSIG, SIGKILL); }

}  // namespace ferry
