#pragma once
// What becomes of requests: of those that run, and of the latest ones.

#include <deque>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/router/router.h"
#include "launch/observe/trace_context.h"

namespace ferry {

struct RequestRecord {
  std::string id;        // x-request-id
  std::string endpoint;  // "/v1/chat/completions"
  std::string key;       // name of the API key; empty: nobody needs one
  double weight = 1;     // of the key
  int64_t at_ms = 0;     // Unix time of its arrival
  int n_prompt_tokens = 0;
  int n_tokens = 0;
  std::string end;  // "finished", "cancelled", or why it failed; empty: it runs
  Account account;  // of one of its choices
  std::vector<RequestId> choices;
  TraceContext trace;
};

nlohmann::ordered_json json_of(const RequestRecord& record);

class RequestLog {
 public:
  // It stays where it is and may change, until it is closed.
  RequestRecord& open(RequestRecord record);
  void close(const RequestRecord& record);
  const std::map<std::string, RequestRecord>& running() const { return running_; }

  const RequestRecord* find(const std::string& id) const;  // nullptr: not among the latest

  // Of those that somebody may see, as JSON, the newest first.
  using Visible = std::function<bool(const RequestRecord& record)>;
  nlohmann::ordered_json latest(size_t n, const Visible& is_visible) const;

 private:
  static constexpr size_t kMost = 2000;
  std::map<std::string, RequestRecord> running_, over_;
  std::deque<std::string> in_order_;  // those that are over
};

}  // namespace ferry
