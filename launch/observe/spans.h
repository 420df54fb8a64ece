#pragma once
// What became of requests, as spans of their traces, appended to a file: one line a request, OTLP's JSON, as
// OpenTelemetry's collector reads it (its receiver `otlpjsonfile`).

#include <fstream>
#include <string>

#include "launch/observe/request_log.h"

namespace ferry {

// The request as a span, and each part of its timeline as a child of it. One line, without its end.
std::string spans_of(const RequestRecord& record, const std::string& model);

class SpanFile {
 public:
  SpanFile() = default;  // nobody asked for spans
  // Error when it cannot be written.
  SpanFile(const std::string& file, std::string model);

  // Of a request that is over. What its caller does not want recorded is left out.
  void write(const RequestRecord& record);

 private:
  std::ofstream out_;
  std::string model_;
};

}  // namespace ferry
