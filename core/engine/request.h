#pragma once
// What is asked for, and what comes back: token by token.

#include <cstdint>
#include <vector>

namespace ferry {

using RequestId = int64_t;

struct Sampling {
  float temperature = 0;  // 0: greedy
  int top_k = 0;          // 0: all
  float top_p = 1;
  float min_p = 0;
  uint64_t seed = 0;
  template <class A>
  void fields(A& a) {
    a(temperature, top_k, top_p, min_p, seed);
  }
};

struct Request {
  RequestId id = 0;
  std::vector<int> prompt;  // token ids, at least one
  int max_tokens = 0;       // to generate, at least one
  Sampling sampling;
  int n_logprobs = -1;      // -1: none; otherwise the chosen token's and those of the n best
  bool ignore_eos = false;  // goes on after an end token
  template <class A>
  void fields(A& a) {
    a(id, prompt, max_tokens, sampling, n_logprobs, ignore_eos);
  }
  int max_length() const { return static_cast<int>(prompt.size()) + max_tokens; }
};

struct Alternative {
  int id = 0;
  float logprob = 0;  // natural log, whole vocabulary, temperature 1
  template <class A>
  void fields(A& a) {
    a(id, logprob);
  }
};

struct Token {
  int id = 0;
  float logprob = 0;             // only where the request asks for logprobs
  std::vector<Alternative> top;  // best first
  template <class A>
  void fields(A& a) {
    a(id, logprob, top);
  }
};

enum class Finish : uint8_t { none, stop, length, kLast = length };

}  // namespace ferry
