#pragma once
// How many files and connections this process may have open.

namespace ferry {

// Raises the limit as far as the system lets it; returns what it is now. Shells often start with 1024.
int raise_descriptor_limit();

}  // namespace ferry
