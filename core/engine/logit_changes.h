#pragma once
// What a request changes of the logits before a token is chosen: penalties as in OpenAI's API (presence, frequency: of
// what was generated) and in CTRL (repetition: arXiv:1909.05858, section 4.1; of the prompt, too), biases, and end
// tokens that may not come yet.

#include <span>
#include <vector>

#include "core/engine/request.h"

namespace ferry {

class LogitChanges {
 public:
  // tokens: the prompt and what was generated; end_tokens: not chosen before request.min_tokens.
  LogitChanges(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens);

  // Without looking at each token: no more ids than that have another logit; and whether none has a higher one.
  static int at_most(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens);
  static bool only_lower(const Sampling& sampling);

  bool empty() const { return changes_.empty(); }
  int n_ids() const { return static_cast<int>(changes_.size()); }

  bool includes(int id) const { return change_of(id) != nullptr; }
  float of(int id, float logit) const;
  void apply(std::span<float> logits) const;

 private:
  struct Change {
    int id = 0;
    bool is_repeated = false;
    int n_generated = 0;
    float bias = 0;
    bool is_barred = false;  // whatever its logit is
  };

  const Change* change_of(int id) const;  // null: none
  float changed(const Change& change, float logit) const;

  const Sampling& sampling_;     // of the request, which outlives this
  std::vector<Change> changes_;  // by id
};

}  // namespace ferry
