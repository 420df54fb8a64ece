#pragma once
// What a process of this host has used so far, as the kernel counts it.

#include <sys/types.h>

#include <cstddef>

namespace ferry {

struct ProcessUsage {
  double cpu_s = 0;          // of all its threads
  double main_thread_s = 0;  // of its first thread
  size_t most_bytes = 0;     // resident, at its peak
};

// Error when there is no such process.
ProcessUsage usage_of(pid_t pid);

}  // namespace ferry
