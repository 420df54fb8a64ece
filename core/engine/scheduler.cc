#include "core/engine/scheduler.h"

#include <algorithm>
#include <numeric>

#include "core/base/check.h"
#include "core/engine/step_pace.h"

namespace ferry {

namespace {

Sequence& insert_by_due(std::list<Sequence>& list, Sequence sequence) {
  sequence.due = due_of(sequence);
  auto place = list.end();
  while (place != list.begin() && sequence.due < std::prev(place)->due) --place;
  return *list.insert(place, std::move(sequence));
}

}  // namespace

// Token i is scored by the row of token i − 1. What an earlier attempt told has no logprobs here.
Range Sequence::to_score() const {
  if (!request.prompt_logprobs || n_generated() > 0) return {};
  return {static_cast<int>(prompt_logprobs.size()) + 1, n_prompt()};
}

Instant due_of(const Sequence& sequence) {
  return std::min(sequence.deadline, sequence.since + sequence.n_prompt() * kPace);
}

Scheduler::Scheduler(SchedulingLimits limits, PageAllocator& pages, PageReuse reuse)
    : limits_(limits), pages_(pages), reuse_(reuse) {
  check(limits.max_sequences <= limits.max_batch_tokens, "every running sequence can decode in one step");
}

void Scheduler::enqueue(Sequence sequence) { insert_by_due(waiting_, std::move(sequence)); }

Sequence& Scheduler::attach(Sequence sequence) { return insert_by_due(running_, std::move(sequence)); }

bool Scheduler::holds(const wire::Attempt& attempt) const {
  const auto is_it = [&](const Sequence& s) { return s.attempt == attempt; };
  return std::any_of(waiting_.begin(), waiting_.end(), is_it) || std::any_of(running_.begin(), running_.end(), is_it);
}

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
    Sequence& s = waiting_.front();
    const std::vector<ContentId> contents = contents_of(s);
    // A page for each that runs is left: what is admitted should not have to go at the next step.
    auto lease = pages_.lease(pages_for(static_cast<int>(s.tokens.size())), contents, n_growing());
    if (!lease) return;
    s.lease = std::move(*lease);
    s.n_found = s.n_computed = s.lease.n_found() * reuse_.page_tokens;
    s.n_published = s.lease.n_found();
    s.published = s.n_published > 0 ? contents[s.n_published - 1] : reuse_.content_start;
    insert_by_due(running_, std::move(s));
    waiting_.pop_front();
  }
}

// Of pages that need not be computed where they are found. Not the last token's, nor one with a token before one that
// is to be scored: their logits are wanted.
std::vector<ContentId> Scheduler::contents_of(const Sequence& s) const {
  if (!reuse_.on) return {};
  const Range wanted = s.to_score();
  const size_t n_known = wanted.empty() ? s.tokens.size() - 1 : static_cast<size_t>(wanted.begin) - 1;
  return block_contents(reuse_.content_start, std::span(s.tokens).first(n_known), reuse_.page_tokens);
}

void Scheduler::publish(Sequence& s) {
  if (!reuse_.on) return;
  if (s.n_published == 0) s.published = reuse_.content_start;
  for (; (s.n_published + 1) * reuse_.page_tokens <= s.n_computed; ++s.n_published) {
    const auto block = std::span(s.tokens).subspan(s.n_published * reuse_.page_tokens, reuse_.page_tokens);
    s.published = content_after(s.published, block);
    pages_.publish(s.lease, s.n_published, s.published);
  }
}

Scheduler::Plan Scheduler::plan(int most_rows) {
  admit();
  Plan plan;
  for (auto s = running_.begin(); s != running_.end(); ++s) {  // make_room may take those behind it
    if (s->decodes() && make_room(*s)) append(*s, 1, plan);
  }
  const int most = std::min(limits_.max_batch_tokens, std::max(most_rows, plan.batch.n_rows() + StepPace::kLeast));
  int n_spare = std::max(0, limits_.max_sequences - n_running());  // rows of logits, when each has one
  for (Sequence& s : running_) {
    int n = std::min(s.n_left(), most - plan.batch.n_rows());
    if (s.decodes() || n <= 0) continue;
    if (const Range wanted = s.to_score(); !wanted.empty()) n = std::min(n, wanted.begin - s.n_computed + n_spare);
    append(s, n, plan);
    n_spare -= std::max(0, plan.sequences.back().n_logit_rows() - 1);
  }
  return plan;
}

int Scheduler::Plan::n_rows() const {
  return std::accumulate(sequences.begin(), sequences.end(), 0,
                         [](int n, const Planned& planned) { return n + planned.tokens.size(); });
}

// False: there is no page for its next token now. It keeps what it has, and gets one when others end.
bool Scheduler::make_room(Sequence& s) {
  const int n_missing = pages_for(s.n_computed + 1) - static_cast<int>(s.lease.pages().size());
  if (n_missing <= 0) return true;
  while (!pages_.extend(s.lease, n_missing)) {
    if (!preempt_one_behind(s)) return false;
  }
  return true;
}

// The last to be due. Not one whose pages are on their way to another group: those are read.
bool Scheduler::preempt_one_behind(const Sequence& sequence) {
  for (auto victim = std::prev(running_.end()); &*victim != &sequence; --victim) {
    if (victim->ship) continue;
    victim->lease = {};
    insert_by_due(waiting_, std::move(*victim));
    running_.erase(victim);
    ++n_preempted_;
    return true;
  }
  return false;
}

int Scheduler::n_growing() const {
  return static_cast<int>(std::count_if(running_.begin(), running_.end(), [](const Sequence& s) { return !s.ship; }));
}

bool Scheduler::waits_for_its_turn() const {
  return std::any_of(waiting_.begin(), waiting_.end(), [](const Sequence& s) { return s.n_generated() > 0; });
}

void Scheduler::append(Sequence& s, int n_tokens, Plan& plan) const {
  Batch& batch = plan.batch;
  const Range tokens = {s.n_computed, s.n_computed + n_tokens};
  for (int i = tokens.begin; i < tokens.end; ++i) {
    batch.tokens.push_back(s.tokens[i]);
    batch.positions.push_back(i);
  }
  batch.row_begin.push_back(batch.n_rows());
  const int n_pages = pages_for(tokens.end);
  batch.pages.insert(batch.pages.end(), s.lease.pages().begin(), s.lease.pages().begin() + n_pages);
  batch.page_begin.push_back(static_cast<int>(batch.pages.size()));
  s.n_computed = tokens.end;
  const Range wanted = s.to_score();
  Planned planned = {.sequence = &s,
                     .tokens = tokens,
                     .scored = {wanted.begin, std::max(wanted.begin, std::min(tokens.end + 1, wanted.end))},
                     .first_row = static_cast<int>(batch.logit_rows.size())};
  const int first = batch.row_begin.end()[-2] - tokens.begin;  // row of the sequence's first token, had it one
  for (int i = planned.scored.begin; i < planned.scored.end; ++i) batch.logit_rows.push_back(first + i - 1);
  if (tokens.end == static_cast<int>(s.tokens.size())) {
    planned.logit_row = static_cast<int>(batch.logit_rows.size());
    batch.logit_rows.push_back(batch.n_rows() - 1);
  }
  plan.sequences.push_back(planned);
}

}  // namespace ferry
