#pragma once
// The choice of the next token. A pure function of the logits, the request and the sequence so far: the same seed gives
// the same text on any split of the model, in any batch, and when an attempt goes on where another one failed.
//
// Most choices are made from a row's digest: its n best and the sums over the whole vocabulary that a device made. Such
// a sum is not exact, and its last bits depend on how the vocabulary is split. So a choice from a digest is made only
// where every value within the sum's tolerance leads to the same token, which is the one that whole logits give; where
// not, and where the token is not among the best or the request raises logits, the answer is nullopt: rank 0 gets the
// whole row (Rank::asked_logits) and chooses from that. It alone decides, and the other ranks do as they are told.

#include <optional>
#include <span>

#include "core/engine/digest.h"
#include "core/engine/request.h"

namespace ferry {

// Whether its best logit is a finite number: otherwise whole logits tell no more. So it is where weights or KV are
// damaged.
bool has_numbers(const RowDigest& digest);

// What a row of logits has to be digested to, for the next token to be chosen.
struct DigestNeeds {
  int n_best = 1;
  float scale = 1;
  bool may_ask = false;  // there are digests that do not tell
};
DigestNeeds needs_of(const Request& request, std::span<const int> tokens, std::span<const int> end_tokens);

// logits [n_vocab]; tokens: the prompt and what was generated; end_tokens: not chosen before request.min_tokens. Greedy
// takes the lowest id among equals; what is no number counts as −infinity. Logprobs are the model's own, whatever
// penalties and biases (LogitChanges) do to the choice.
Token next_token(std::span<const float> logits, const Request& request, std::span<const int> tokens,
                 std::span<const int> end_tokens);

// The same token, from a digest that has numbers and that the needs were met in; nullopt: only whole logits tell.
std::optional<Token> next_token(const RowDigest& digest, const Request& request, std::span<const int> tokens,
                                std::span<const int> end_tokens);

// A token of the prompt with its logprob and those of the request's n best, from the row before it.
Token scored_token(std::span<const float> logits, const Request& request, int id);
std::optional<Token> scored_token(const RowDigest& digest, const Request& request,
                                  int id);  // nullopt: not among the best
DigestNeeds needs_of_scored();

}  // namespace ferry
