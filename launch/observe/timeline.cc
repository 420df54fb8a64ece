#include "launch/observe/timeline.h"

#include <algorithm>

#include "launch/io/result_json.h"

namespace ferry {

namespace {

using nlohmann::ordered_json;

class Timeline {
 public:
  void add(const char* name, double ms) {
    parts_.push_back({.name = name, .attempt = attempt_, .begin_ms = at_, .ms = std::max(ms, 0.0)});
    at_ += parts_.back().ms;
  }
  void add_until(const char* name, double end_ms) { add(name, end_ms - at_); }
  // What was added last ended without success.
  void failed(const Account::Retry& retry) {
    Part& part = parts_.back();
    part.prefill = retry.prefill;
    part.decode = retry.decode;
    part.why = retry.why;
    part.next = name_of(retry.rung);
    ++attempt_;
  }
  void first_attempt() { attempt_ = 1; }
  double at() const { return at_; }
  std::vector<Part> take() { return std::move(parts_); }

 private:
  std::vector<Part> parts_;
  double at_ = 0;
  int attempt_ = 0;
};

void add_bill(Timeline& timeline, const Account& a) {
  timeline.add("reserve", a.reserve_ms);
  timeline.add("prefill", a.bill.prefill_ms);
  timeline.add("exposed_transfer", a.bill.exposed_transfer_ms);
  timeline.add("verify", a.bill.verify_ms);
  timeline.add("attach", a.bill.attach_ms);
  if (a.ttft_ms > timeline.at()) timeline.add_until("other", a.ttft_ms);
}

}  // namespace

std::vector<Part> timeline_of(const Account& a) {
  Timeline timeline;
  const bool answered = a.ttft_ms > 0;
  timeline.add("queue", a.attempts > 0 ? a.queue_ms : a.total_ms);
  if (a.attempts > 0) timeline.first_attempt();
  auto retry = a.retries.begin();
  for (; retry != a.retries.end() && (!answered || retry->at_ms <= a.ttft_ms); ++retry) {
    timeline.add_until("failed_attempt", retry->at_ms);
    timeline.failed(*retry);
  }
  if (!answered) {
    if (a.total_ms > timeline.at()) timeline.add_until("unanswered", a.total_ms);
    return timeline.take();
  }
  add_bill(timeline, a);
  for (; retry != a.retries.end(); ++retry) {  // tokens that were told are told once: it went on elsewhere
    timeline.add_until("decode", retry->at_ms);
    timeline.failed(*retry);
  }
  timeline.add_until("decode", a.total_ms);
  return timeline.take();
}

ordered_json json_of(const std::vector<Part>& timeline) {
  ordered_json parts = ordered_json::array();
  for (const Part& p : timeline) {
    ordered_json part = {
        {"part", p.name}, {"attempt", p.attempt}, {"begin_ms", rounded_ms(p.begin_ms)}, {"ms", rounded_ms(p.ms)}};
    if (!p.next.empty()) part.update({{"prefill", p.prefill}, {"decode", p.decode}, {"why", p.why}, {"next", p.next}});
    parts.push_back(std::move(part));
  }
  return parts;
}

}  // namespace ferry
