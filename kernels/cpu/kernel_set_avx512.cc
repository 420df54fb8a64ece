#include "kernels/cpu/kernel_set_of.h"
#include "kernels/cpu/lanes_avx512.h"

namespace ferry {

KernelSet avx512_kernels() { return kernel_set_of<Avx512Lanes>("avx512"); }

}  // namespace ferry
