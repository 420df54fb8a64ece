#pragma once
// What became of a request, and the two forms it is printed in.

#include <cstdint>
#include <string>
#include <vector>

#include "core/engine/request.h"
#include "launch/io/terminal.h"

namespace ferry {

struct Usage {
  int prompt_tokens = 0;
  int completion_tokens = 0;
  int cached_tokens = 0;  // of the prompt, found in a prefix cache: not computed
};

struct Route {
  struct Retry {
    std::string rung;  // "same_pair", "other_prefill", "colocated"
    std::string why;   // the attempt before it ended
  };
  std::string prefill;  // group names, of the last attempt
  std::string decode;
  std::string policy;  // "disaggregated", "short_prompt" or "colocated": why both are the same group
  int attempts = 0;
  std::vector<Retry> retries;
};

struct KvMoved {
  uint64_t bytes = 0;     // sent from the prefill group to the decode group
  int kept_tokens = 0;    // of the prompt, that the decode group had already: not sent
  std::string transport;  // "shm", "tcp", "rdma"; empty: nothing was sent
};

struct ResultMs {
  double queue = 0;
  double reserve = 0;
  double prefill = 0;
  double exposed_transfer = 0;  // what of the transfer was not hidden behind the prefill
  double verify = 0;
  double attach = 0;
  double ttft = 0;
  double total = 0;
};

struct Result {
  std::string id;
  std::vector<int> prompt_ids;
  std::vector<int> ids;
  std::string text;
  std::string finish_reason;           // "stop", "length", "error"
  std::string error;                   // empty: none
  std::vector<Token> logprobs;         // of `ids`, where they were asked for
  std::vector<Token> prompt_logprobs;  // of `prompt_ids` from the second on, where they were asked for
  Usage usage;
  Route route;
  KvMoved kv;
  ResultMs ms;
};

// The result of a request that was not answered.
Result failed(std::string id, std::string why);

// One line without its end; valid UTF-8 whatever the text's bytes are (invalid ones become U+FFFD).
std::string json_line(const Result& result);

// For people: the text, then a dimmer line with the path it took. With colours where `colours` says so.
std::string readable(const Result& result, Colours colours);

}  // namespace ferry
