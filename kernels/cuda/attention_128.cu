#include "kernels/cuda/attention_launches.h"

namespace ferry::cuda {

void launch_attention_128(const AttentionTask& task, Stream stream) { launch_attention_of<4>(task, stream); }

}  // namespace ferry::cuda
