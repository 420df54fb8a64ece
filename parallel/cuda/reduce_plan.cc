#include "parallel/cuda/reduce_plan.h"

#include <map>

#include "core/base/check.h"
#include "core/base/error.h"

namespace ferry {

namespace {

std::string size_text(uint64_t n_bytes) {
  constexpr uint64_t kKiB = 1 << 10, kMiB = 1 << 20;
  if (n_bytes % kMiB == 0) return str(n_bytes / kMiB, " MiB");
  return n_bytes % kKiB == 0 ? str(n_bytes / kKiB, " KiB") : str(n_bytes, " bytes");
}

}  // namespace

ReduceMethod ReducePlan::method_for(size_t n_bytes) const {
  for (const ReduceChoice& choice : choices) {
    if (n_bytes <= choice.up_to_bytes) return choice.method;
  }
  check(!choices.empty(), "a plan has a choice for every size");
  return choices.back().method;
}

std::string ReducePlan::text() const {
  std::string text;
  for (size_t i = 0; i < choices.size(); ++i) {
    const bool last = i + 1 == choices.size();
    if (i > 0) text += ", ";
    text += name_of(choices[i].method);
    if (!last) text += " up to " + size_text(choices[i].up_to_bytes);
    if (last && i > 0) text += " above";
  }
  return text;
}

ReducePlan plan_of(const std::vector<ReduceTiming>& timings) {
  check(!timings.empty(), "a plan follows from timings");
  std::map<size_t, ReduceTiming> fastest;  // by size
  for (const ReduceTiming& timing : timings) {
    const auto [at, is_first] = fastest.try_emplace(timing.n_bytes, timing);
    if (!is_first && timing.seconds < at->second.seconds) at->second = timing;
  }
  ReducePlan plan;
  for (const auto& [n_bytes, timing] : fastest) {
    if (plan.choices.empty() || plan.choices.back().method != timing.method)
      plan.choices.push_back({.method = timing.method});
    plan.choices.back().up_to_bytes = n_bytes;
  }
  plan.choices.back().up_to_bytes = UINT64_MAX;
  return plan;
}

}  // namespace ferry
