#include "kernels/cpu/kernel_set_of.h"
#include "kernels/cpu/lanes_portable.h"

namespace ferry {

// Four lanes: the vectors of any x86-64.
KernelSet portable_kernels() { return kernel_set_of<PortableLanes<4>>("portable"); }

}  // namespace ferry
