#include "launch/serve/latencies.h"

#include <fmt/format.h>

#include <algorithm>

namespace ferry {

void Histogram::add(double seconds, uint64_t times) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), seconds);
  counts_[static_cast<size_t>(bound - kBounds.begin())] += times;
  count_ += times;
  sum_ += seconds * static_cast<double>(times);
}

void Histogram::add_to(MetricsText& text, std::string_view name, std::string_view help) const {
  text.family(name, "histogram", help);
  uint64_t below = 0;
  for (size_t i = 0; i < kBounds.size(); ++i) {
    below += counts_[i];
    text.part("_bucket", fmt::format("le=\"{}\"", kBounds[i]), below);
  }
  text.part("_bucket", "le=\"+Inf\"", count_);
  text.part("_sum", "", sum_);
  text.part("_count", "", count_);
}

void Latencies::began(RequestId id, Instant now) { open_[id] = {.began = now, .last = now}; }

void Latencies::heard(const RequestEvent& event, Instant now) {
  const auto found = open_.find(event.id);
  if (found == open_.end()) return;
  Open& open = found->second;
  if (!event.tokens.empty()) {
    const double since = ms_between(open.last, now) / 1000;
    if (open.any) {
      // Tokens that came together share the time: a step that yields several is as good as so many short ones.
      between_tokens_.add(since / static_cast<double>(event.tokens.size()), event.tokens.size());
    } else {
      to_first_token_.add(since);
      queued_.add(event.account.queue_ms / 1000);
    }
    open.any = true;
    open.last = now;
    n_generated_ += event.tokens.size();
  }
  if (!event.last()) return;
  end_to_end_.add(ms_between(open.began, now) / 1000);
  kv_bytes_ += event.account.bill.kv_bytes;
  open_.erase(found);
}

std::string Latencies::text() const {
  MetricsText text;
  to_first_token_.add_to(text, "time_to_first_token_seconds", "From the request's arrival to its first token");
  between_tokens_.add_to(text, "inter_token_latency_seconds", "From one token of a request to its next");
  end_to_end_.add_to(text, "e2e_request_latency_seconds", "From the request's arrival to its end");
  queued_.add_to(text, "request_queue_time_seconds", "From the request's arrival until a group was chosen for it");
  text.family("generation_tokens_total", "counter", "Tokens that were generated");
  text.value("", n_generated_);
  text.family("transfer_bytes_total", "counter", "KV bytes that were sent from prefill to decode groups");
  text.value("", kv_bytes_);
  return text.take();
}

}  // namespace ferry
