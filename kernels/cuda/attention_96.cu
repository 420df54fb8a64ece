#include "kernels/cuda/attention_launches.h"

namespace ferry::cuda {

void launch_attention_96(const AttentionTask& task, Stream stream) { launch_attention_of<3>(task, stream); }

}  // namespace ferry::cuda
