#include "launch/serve/request_log.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace ferry {

namespace {

using nlohmann::ordered_json;

double rounded(double ms) { return std::round(ms * 1000) / 1000; }

// The parts of the time to the first token, in the order in which they happen.
ordered_json timeline_of(const Account& a) {
  ordered_json parts = ordered_json::array();
  double at = 0;
  const auto add = [&](const char* name, double ms) {
    parts.push_back({{"part", name}, {"begin_ms", rounded(at)}, {"ms", rounded(ms)}});
    at += ms;
  };
  add("queue", a.queue_ms);
  add("reserve", a.reserve_ms);
  add("prefill", a.bill.prefill_ms);
  add("exposed_transfer", a.bill.exposed_transfer_ms);
  add("verify", a.bill.verify_ms);
  add("attach", a.bill.attach_ms);
  if (a.ttft_ms > at) add("other", a.ttft_ms - at);  // messages on their way, waiting for a step, attempts that failed
  at = std::max(at, a.ttft_ms);
  add("decode", std::max(0.0, a.total_ms - a.ttft_ms));
  return parts;
}

ordered_json json_of(const RequestRecord& r) {
  const Account& a = r.account;
  ordered_json retries = ordered_json::array();
  for (const Account::Retry& retry : a.retries) retries.push_back({{"rung", name_of(retry.rung)}, {"why", retry.why}});
  return {{"id", r.id},
          {"endpoint", r.endpoint},
          {"at_ms", r.at_ms},
          {"end", r.end},
          {"prompt_tokens", r.n_prompt_tokens},
          {"completion_tokens", r.n_tokens},
          {"cached_tokens", a.bill.cached_tokens},
          {"route", {{"prefill", a.prefill}, {"decode", a.decode}, {"attempts", a.attempts}, {"retries", retries}}},
          {"kv", {{"bytes", a.bill.kv_bytes}, {"kept_tokens", a.bill.kept_tokens}, {"transport", a.transport}}},
          {"ttft_ms", rounded(a.ttft_ms)},
          {"total_ms", rounded(a.total_ms)},
          {"timeline", timeline_of(a)}};
}

std::string text_of(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace

void RequestLog::add(RequestRecord record) {
  in_order_.push_back(record.id);
  records_[record.id] = std::move(record);
  if (in_order_.size() <= kMost) return;
  records_.erase(in_order_.front());
  in_order_.pop_front();
}

std::string RequestLog::find(const std::string& id) const {
  const auto found = records_.find(id);
  return found == records_.end() ? std::string() : text_of(json_of(found->second));
}

std::string RequestLog::latest(size_t n) const {
  ordered_json all = ordered_json::array();
  for (auto id = in_order_.rbegin(); id != in_order_.rend() && all.size() < n; ++id)
    all.push_back(json_of(records_.at(*id)));
  return text_of(all);
}

}  // namespace ferry
