#include "kernels/cuda/attention_prompt.h"

namespace ferry::cuda {

void launch_prompt_80(const PromptTask& task, Stream stream) {
  if (task.p.kv.dtype == KvDtype::f16) return launch_prompt_of<KvDtype::f16, 80>(task, stream);
  launch_prompt_of<KvDtype::bf16, 80>(task, stream);
}

}  // namespace ferry::cuda
