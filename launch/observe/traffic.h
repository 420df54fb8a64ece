#pragma once
// What requests did, as their events tell: how long they took, and what groups and paths did for them, in all (for
// metrics) and lately (for whoever looks).

#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/router/router.h"
#include "launch/observe/histogram.h"
#include "launch/observe/recent.h"

namespace ferry {

class Traffic {
 public:
  void began(RequestId id, int n_prompt_tokens, Instant now);
  void heard(const RequestEvent& event, Instant now);
  void cancelled(RequestId id) { open_.erase(id); }

  std::string text() const;  // for /metrics

  // Lately.
  struct Latencies {
    Latest to_first_token, between_tokens, end_to_end;  // seconds
  };
  struct Rates {
    Recent begun, finished, failed;
    Recent prompt_tokens, tokens;  // computed or found by prefill; generated
    Recent kv_bytes;
  };
  struct Path {
    std::string transport;
    uint64_t n_bytes = 0;
    Recent bytes;
  };
  const Latencies& latencies() const { return latest_; }
  const Rates& rates() const { return rates_; }
  double tokens_per_s(const std::string& group, Instant now) const;  // prompt tokens, too, where it prefills
  double bytes_per_s(const std::string& prefill, const std::string& decode, Instant now) const;

 private:
  struct Open {
    Instant began, last;
    int n_prompt_tokens = 0;
    bool any = false;         // a token came
    uint64_t n_kv_bytes = 0;  // that were counted
  };
  void heard_tokens(Open& open, const RequestEvent& event, Instant now);
  void heard_transfer(Open& open, const Account& account, Instant now);

  std::unordered_map<RequestId, Open> open_;
  Histogram to_first_token_, between_tokens_, end_to_end_, queued_, prefill_, exposed_transfer_;
  uint64_t n_prompt_tokens_ = 0, n_generated_ = 0;
  Latencies latest_;
  Rates rates_;
  std::map<std::string, Recent> groups_;  // tokens
  std::map<std::pair<std::string, std::string>, Path> paths_;
};

}  // namespace ferry
