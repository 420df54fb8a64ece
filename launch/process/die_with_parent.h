#pragma once
// For the ranks of a group: mpirun ends them when it is told to end, but not when it is killed outright.

namespace ferry {

// This process gets SIGKILL when the process (strictly: the thread) that started it is gone.
void die_with_parent();

}  // namespace ferry
