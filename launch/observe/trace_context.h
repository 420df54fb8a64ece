#pragma once
// Which trace a request is a part of: W3C Trace Context (https://www.w3.org/TR/trace-context/). A caller that has a
// trace finds us in it; other requests begin one.

#include <string>
#include <string_view>

namespace ferry {

struct TraceContext {
  std::string trace_id;   // 32 hex digits
  std::string parent_id;  // 16: the caller's span; empty: the trace begins here
  std::string span_id;    // 16: ours
  bool sampled = true;    // the caller may not want it recorded
  std::string state;      // what vendors keep there: handed on as it is

  std::string traceparent() const { return "00-" + trace_id + "-" + span_id + (sampled ? "-01" : "-00"); }
};

// As the headers say; empty: not given. A traceparent that breaks the rules is none, and its tracestate is dropped.
TraceContext trace_of(std::string_view traceparent, std::string_view tracestate);

std::string random_span_id();

}  // namespace ferry
