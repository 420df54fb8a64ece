#pragma once
// The children of a process of this host.

#include <sys/types.h>

namespace ferry {

struct Children {
  int all = 0;  // ended ones, too, until their parent takes notice
  int living = 0;
};

// None when there is no such process, or the kernel does not tell.
Children children_of(pid_t parent);

}  // namespace ferry
