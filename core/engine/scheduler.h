#pragma once
// Continuous batching over paged KV: which sequences take part in the next step, and with which tokens. Decode tokens
// first, then prefill chunks up to the token budget, what is due first in front. Pure: no clock, no device.
//
// A sequence gets pages for the tokens it has when it is admitted, and one more whenever it has filled those, so that
// memory is not held for answers that may end early. When none is free, the sequence that is due last gives its pages
// up and waits: what they hold stays to be found until it is overwritten, and only the rest is computed again. Pages
// that hold the beginning of a sequence already are shared instead of computed, unless logprobs of the prompt are
// wanted: those take a row of logits for each token, and a step has no more rows of logits than sequences may run.

#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "core/engine/batch.h"
#include "core/engine/request.h"
#include "core/engine/step.h"
#include "core/kv/page_allocator.h"
#include "core/seam/clock.h"

namespace ferry {

struct SchedulingLimits {
  int max_batch_tokens = 512;
  int max_sequences = 64;
  Duration step = Duration::zero();  // how long one should take at most; zero: as long as it takes
};

struct PageReuse {
  int page_tokens = 1;
  ContentId content_start = 0;  // of this model and KV type
  bool on = true;
};

// Where a prompt's KV goes when it is computed.
struct ShipTarget {
  GroupId group = 0;
  wire::Ticket ticket;
};

struct Sequence {
  wire::Attempt attempt;
  Request request;
  std::vector<int> tokens;  // the prompt and what was generated
  int n_computed = 0;       // tokens whose KV is in the pages
  PageLease lease;
  std::optional<ShipTarget> ship;  // prefill only, then ship; otherwise decode here
  Instant since;                   // when this group got it
  Instant deadline;
  Instant due = {};                         // its place in the order: see due_of()
  std::vector<Token> prompt_logprobs = {};  // of the prompt from its second token on, as far as they are known
  int n_found = 0;                          // prompt tokens whose KV was there already
  int n_shipped = 0;                        // tokens that were ordered to be shipped, or that need not be
  int n_published = 0;                      // whole pages that others can find
  ContentId published = 0;                  // what they hold

  int n_prompt() const { return static_cast<int>(request.prompt.size()); }
  int n_generated() const { return static_cast<int>(tokens.size()) - n_prompt(); }
  int n_left() const { return static_cast<int>(tokens.size()) - n_computed; }
  bool decodes() const { return n_generated() > 0 && n_left() == 1; }
  // Tokens whose logprobs are told as soon as what is before them is computed; empty where there is nothing left to
  // tell.
  Range to_score() const;
};

// Earliest deadline first would let a short prompt wait behind every long one that came before it. So a prompt is due
// when it could be done at a pace of kPace a token, had it come alone: the short ones pass, the long ones are not
// starved.
constexpr Duration kPace = std::chrono::milliseconds(1);
Instant due_of(const Sequence& sequence);

class Scheduler {
 public:
  Scheduler(SchedulingLimits limits, PageAllocator& pages, PageReuse reuse);

  void enqueue(Sequence sequence);      // waits for pages
  Sequence& attach(Sequence sequence);  // has its pages, its prompt is computed
  std::optional<Sequence> remove(const wire::Attempt& attempt);
  std::vector<Sequence> remove_if(const std::function<bool(const Sequence&)>& condition);

  struct Planned {
    Sequence* sequence = nullptr;  // valid until it is removed
    Range tokens;                  // whose KV this step computes
    Range scored;                  // of the prompt: tokens whose logprobs the step's logits tell, a row each
    int first_row = 0;             // of the step's logit rows: those of the scored tokens,
    int logit_row = -1;            // then that of the next token, when the last one is among those that are computed
    bool has_numbers = true;       // in its logit rows; otherwise nothing can be made of them
    size_t scored_by(int row) const { return static_cast<size_t>(scored.begin + row - first_row); }
    int n_logit_rows() const { return scored.size() + (logit_row >= 0); }
  };
  struct Plan {
    Batch batch;
    std::vector<Planned> sequences;  // as in the batch
    int n_rows() const;              // also when the batch has gone to the ranks
  };
  // Prefill gets what the decode tokens leave of most_rows, and never less than it needs to get on. An empty plan:
  // nothing can run now. Counts the planned tokens as computed: the step must be run.
  Plan plan(int most_rows);
  // Lets others find the pages of a sequence that are whole and computed by now.
  void publish(Sequence& sequence);
  bool holds(const wire::Attempt& attempt) const;

  int n_waiting() const { return static_cast<int>(waiting_.size()); }
  int n_running() const { return static_cast<int>(running_.size()); }
  int n_growing() const;            // running ones that may need one more page any time
  bool waits_for_its_turn() const;  // a preempted one, which comes before anything new
  uint64_t n_preempted() const { return n_preempted_; }

 private:
  void admit();
  int pages_for(int n_tokens) const { return ferry::pages_for(n_tokens, reuse_.page_tokens); }
  bool make_room(Sequence& sequence);
  bool preempt_one_behind(const Sequence& sequence);
  void append(Sequence& sequence, int n_tokens, Plan& plan) const;
  std::vector<ContentId> contents_of(const Sequence& sequence) const;

  const SchedulingLimits limits_;
  PageAllocator& pages_;
  const PageReuse reuse_;
  std::list<Sequence> waiting_;  // by due: a large one at the head holds up the others rather than starving
  std::list<Sequence> running_;  // by due
  uint64_t n_preempted_ = 0;
};

}  // namespace ferry
