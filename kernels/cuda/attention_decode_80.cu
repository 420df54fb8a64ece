#include "kernels/cuda/attention_decode.h"

namespace ferry::cuda {

void launch_decode_80(const DecodeTask& task, int n_multiprocessors, Stream stream) {
  if (task.p.kv.dtype == KvDtype::f16) return launch_decode_of<KvDtype::f16, 80>(task, n_multiprocessors, stream);
  launch_decode_of<KvDtype::bf16, 80>(task, n_multiprocessors, stream);
}

}  // namespace ferry::cuda
