#include "kernels/cpu/kernel_set_of.h"
#include "kernels/cpu/lanes_avx2.h"

namespace ferry {

KernelSet avx2_kernels() { return kernel_set_of<Avx2Lanes>("avx2"); }

}  // namespace ferry
