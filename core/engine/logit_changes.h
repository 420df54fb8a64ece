#pragma once
// What a request changes of the logits before a token is chosen: penalties as in OpenAI's API (presence, frequency: of
// what was generated) and in CTRL (repetition: arXiv:1909.05858, section 4.1; of the prompt, too), biases, and end
// tokens that may not come yet.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/engine/request.h"

namespace ferry {

// Made anew for each token, in about the time that it takes to read the tokens before it.
class LogitChanges {
 public:
  // tokens: the prompt and what was generated; end_tokens: not chosen before request.min_tokens. All outlive this.
  LogitChanges(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens);

  // Without looking at each token: no more ids than that have another logit; and whether none has a higher one.
  static int at_most(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens);
  static bool only_lower(const Sampling& sampling);

  bool empty() const { return n_ids_ == 0; }
  int n_ids() const { return n_ids_; }
  bool includes(int id) const { return changed_.contains(id); }

  float of(int id, float logit) const;
  void apply(std::span<float> logits) const;

 private:
  class Ids {
   public:
    bool insert(int id);  // false: it was there
    bool contains(int id) const;
    template <class F>
    void for_each(const F& f) const;

   private:
    std::vector<uint64_t> words_;  // a bit an id
  };

  float changed(int id, float logit, std::ptrdiff_t n_generated) const;

  const Sampling& sampling_;
  std::span<const int> generated_;  // that are penalized
  std::span<const int> barred_;     // whatever their logits are
  Ids repeated_;
  Ids changed_;
  int n_ids_ = 0;
};

}  // namespace ferry
