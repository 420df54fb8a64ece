#include "kernels/cuda/attention_prompt.h"

namespace ferry::cuda {

void launch_prompt_256(const PromptTask& task, Stream stream) {
  if (task.p.kv.dtype == KvDtype::f16) return launch_prompt_of<KvDtype::f16, 256>(task, stream);
  launch_prompt_of<KvDtype::bf16, 256>(task, stream);
}

}  // namespace ferry::cuda
