#include "core/engine/scheduler.h"

#include "core/base/check.h"

namespace ferry {

Scheduler::Scheduler(SchedulingLimits limits, PageAllocator& pages, int page_tokens)
    : limits_(limits), pages_(pages), page_tokens_(page_tokens) {
  check(limits.max_sequences <= limits.max_batch_tokens, "every running sequence can decode in one step");
}

void Scheduler::enqueue(Sequence sequence) { waiting_.push_back(std::move(sequence)); }

Sequence& Scheduler::attach(Sequence sequence) { return running_.emplace_back(std::move(sequence)); }

std::optional<Sequence> Scheduler::remove(const wire::Attempt& attempt) {
  auto removed = remove_if([&](const Sequence& s) { return s.attempt == attempt; });
  if (removed.empty()) return std::nullopt;
  return std::move(removed.front());
}

std::vector<Sequence> Scheduler::remove_if(const std::function<bool(const Sequence&)>& condition) {
  std::vector<Sequence> removed;
  for (auto* list : {&waiting_, &running_}) {
    for (auto it = list->begin(); it != list->end();) {
      if (condition(*it)) {
        removed.push_back(std::move(*it));
        it = list->erase(it);
      } else {
        ++it;
      }
    }
  }
  return removed;
}

void Scheduler::admit() {
  while (!waiting_.empty() && n_running() < limits_.max_sequences) {
    auto lease = pages_.lease((waiting_.front().max_length() + page_tokens_ - 1) / page_tokens_);
    if (!lease) return;
    waiting_.front().lease = std::move(*lease);
    running_.splice(running_.end(), waiting_, waiting_.begin());
  }
}

Scheduler::Plan Scheduler::plan() {
  admit();
  Plan plan;
  const auto left = [](const Sequence& s) { return static_cast<int>(s.tokens.size()) - s.n_computed; };
  for (Sequence& s : running_) {
    if (s.n_generated() > 0 && left(s) == 1) append(s, 1, plan);
  }
  for (Sequence& s : running_) {
    const int budget = limits_.max_batch_tokens - plan.batch.n_rows();
    if (s.n_generated() == 0 && left(s) > 0 && budget > 0) append(s, std::min(left(s), budget), plan);
  }
  return plan;
}

void Scheduler::append(Sequence& s, int n_tokens, Plan& plan) const {
  Batch& batch = plan.batch;
  const Range tokens = {s.n_computed, s.n_computed + n_tokens};
  for (int i = tokens.begin; i < tokens.end; ++i) {
    batch.tokens.push_back(s.tokens[i]);
    batch.positions.push_back(i);
  }
  batch.row_begin.push_back(batch.n_rows());
  const int n_pages = (tokens.end + page_tokens_ - 1) / page_tokens_;
  batch.pages.insert(batch.pages.end(), s.lease.pages().begin(), s.lease.pages().begin() + n_pages);
  batch.page_begin.push_back(static_cast<int>(batch.pages.size()));
  s.n_computed = tokens.end;
  int logit_row = -1;
  if (tokens.end == static_cast<int>(s.tokens.size())) {
    logit_row = static_cast<int>(batch.logit_rows.size());
    batch.logit_rows.push_back(batch.n_rows() - 1);
  }
  plan.sequences.push_back({.sequence = &s, .tokens = tokens, .logit_row = logit_row});
}

}  // namespace ferry
