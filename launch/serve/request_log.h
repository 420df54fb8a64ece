#pragma once
// What became of the latest requests, for those who ask where the time went.

#include <deque>
#include <map>
#include <string>

#include "core/router/router.h"

namespace ferry {

struct RequestRecord {
  std::string id;        // x-request-id
  std::string endpoint;  // "/v1/chat/completions"
  std::string key;       // name of the API key; empty: nobody needs one
  double weight = 1;     // of the key
  int64_t at_ms = 0;     // Unix time of its arrival
  int n_prompt_tokens = 0;
  int n_tokens = 0;
  std::string end;  // "finished", "cancelled", or why it failed
  Account account;
};

class RequestLog {
 public:
  void add(RequestRecord record);
  // JSON; empty: not among the latest.
  std::string find(const std::string& id) const;
  std::string latest(size_t n) const;  // a JSON array, newest first

 private:
  static constexpr size_t kMost = 2000;
  std::map<std::string, RequestRecord> records_;
  std::deque<std::string> in_order_;
};

}  // namespace ferry
