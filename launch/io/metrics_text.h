#pragma once
// Metrics as Prometheus reads them: families of values, each with its kind and what it means. All names begin with
// "ferry_".

#include <fmt/format.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace ferry {

class MetricsText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  void family(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP ferry_{} {}\n# TYPE ferry_{} {}\n", name, help, name, type);
  }
  // Of the last family.
  template <class Number>
  void value(Labels labels, Number number) {
    part("", labels, number);
  }
  // One of the values that make up a histogram: "_bucket", "_sum", "_count".
  template <class Number>
  void part(std::string_view suffix, Labels labels, Number number) {
    text_ += fmt::format("ferry_{}{}{} {}\n", name_, suffix, text_of(labels), number);
  }
  // A family of one value.
  template <class Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number number) {
    family(name, type, help);
    value({}, number);
  }
  std::string take() { return std::move(text_); }

 private:
  static std::string text_of(Labels labels) {
    std::string text;
    for (const auto& [name, value] : labels)
      text += fmt::format("{}{}=\"{}\"", text.empty() ? "{" : ",", name, escaped(value));
    return text.empty() ? text : text + "}";
  }
  // A transport or a model may be called anything.
  static std::string escaped(std::string_view value) {
    std::string text;
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c == '\n' ? ' ' : c;
    }
    return text;
  }

  std::string name_, text_;
};

}  // namespace ferry
