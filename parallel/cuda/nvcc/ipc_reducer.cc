#include "parallel/cuda/nvcc/ipc_reducer.h"

#include <algorithm>

#include "core/base/error.h"

namespace ferry::cuda {

void IpcReducer::all_reduce_sum(ReduceMethod method, std::span<float> values) {
  constexpr size_t kMost = IpcWindows::kBufferBytes / sizeof(float);
  AllReduceLaunch p = windows_->launch();
  p.patience_ns = static_cast<uint64_t>(patience_.count());
  p.stream = stream_;
  for (size_t begin = 0; begin < values.size(); begin += kMost) {
    p.values = values.data() + begin;
    p.n = static_cast<int64_t>(std::min(kMost, values.size() - begin));
    if (method == ReduceMethod::one_shot) launch_one_shot(p);
    if (method == ReduceMethod::two_shot) launch_two_shot(p);
  }
}

void IpcReducer::look() {
  const HostWords& words = windows_->words();
  if (words.missing == 0 && words.give_up == 0) return;
  if (words.missing == 0) throw Error("the group of this rank has failed before");
  throw Error(str("rank ", windows_->launch().rank, " waited ", std::chrono::duration<double>(patience_).count(),
                  " s on its card for rank ", words.missing - 1, ", in an all-reduce"));
}

}  // namespace ferry::cuda
