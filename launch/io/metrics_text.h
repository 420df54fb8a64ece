#pragma once
// Metrics as Prometheus reads them: families of values, each with its kind and what it means. All names begin with
// "ferry_".

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace ferry {

class MetricsText {
 public:
  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP ferry_{} {}\n# TYPE ferry_{} {}\n", name, help, name, type);
  }
  // Of the last family. `labels`: state="free",…
  template <class Number>
  void value(std::string_view labels, Number number) {
    part("", labels, number);
  }
  // One of the values that make up a histogram: "_bucket", "_sum", "_count".
  template <class Number>
  void part(std::string_view suffix, std::string_view labels, Number number) {
    text_ += labels.empty() ? fmt::format("ferry_{}{} {}\n", name_, suffix, number)
                            : fmt::format("ferry_{}{}{{{}}} {}\n", name_, suffix, labels, number);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string name_, text_;
};

}  // namespace ferry
