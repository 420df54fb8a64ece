#pragma once
// A stream of the emulated card. What is launched in it is done at once, or, while it records, kept with its parameters
// as they are then: a replay does the same again with what memory holds at that time, as a card's graph does.

#include <functional>
#include <vector>

#include "core/base/check.h"
#include "kernels/cuda/runtime.h"

namespace ferry::emulator {

using Works = std::vector<std::function<void()>>;

struct Recorder {
  bool records = false;
  Works works;
};

inline void do_or_record(cuda::Stream stream, const std::function<void()>& work) {
  auto* recorder = static_cast<Recorder*>(stream.handle);
  if (recorder != nullptr && recorder->records) return recorder->works.push_back(work);
  work();
}

// For what a card refuses while its stream records.
inline void check_not_recording(cuda::Stream stream) {
  const auto* recorder = static_cast<const Recorder*>(stream.handle);
  check(recorder == nullptr || !recorder->records, "only launches are recorded");
}

}  // namespace ferry::emulator
