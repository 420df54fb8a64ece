#include "kernels/cuda/recorded_steps.h"

#include <algorithm>
#include <bit>

namespace ferry::cuda {

namespace {

constexpr size_t kMostKnown = 64;  // forms; a graph of a large model takes a few hundred KiB

// 1, 2, 4, 8, 16, 24, 32, 48, 64, …: at most a third of the rows are padding, once rows cost something.
int bucket_of_rows(int n) {
  const int above = static_cast<int>(std::bit_ceil(static_cast<unsigned>(n)));
  const int between = above / 4 * 3;
  return above > 16 && n <= between ? between : above;
}

// Blocks for pages that are not there end at once: a few buckets do.
int bucket_of_pages(int n) { return std::max(16, static_cast<int>(std::bit_ceil(static_cast<unsigned>(n)))); }

}  // namespace

RecordedSteps::~RecordedSteps() {
  for (const auto& [form, known] : known_) end_graph(known.graph);
}

StepForm RecordedSteps::padded(const StepForm& form) const {
  return {.n_rows = std::min(bucket_of_rows(form.n_rows), most_.n_rows),
          .n_pages = std::min(bucket_of_pages(form.n_pages), most_.n_pages),
          .kv = form.kv,
          .n_best = form.n_best};
}

void RecordedSteps::run(const StepForm& form, const std::function<void()>& launches) {
  const bool is_new = !known_.contains(form);
  if (is_new && known_.size() == kMostKnown) forget_oldest();
  Known& step = known_[form];
  step.last_run = ++n_runs_;
  if (is_new) return launches();
  if (step.graph.handle == nullptr) step.graph = record(launches);
  replay(step.graph, stream_);
}

Graph RecordedSteps::record(const std::function<void()>& launches) const {
  begin_recording(stream_);
  try {
    launches();
  } catch (...) {
    drop_recording(stream_);
    throw;
  }
  return end_recording(stream_);
}

void RecordedSteps::forget_oldest() {
  const auto oldest =
      std::ranges::min_element(known_, {}, [](const auto& form_and_step) { return form_and_step.second.last_run; });
  end_graph(oldest->second.graph);
  known_.erase(oldest);
}

}  // namespace ferry::cuda
