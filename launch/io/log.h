#pragma once
// What is logged, to stderr, a line each: as text for people, or as JSON for programs. stdout belongs to results.

#include <fmt/format.h>
#include <spdlog/common.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace ferry {

enum class LogForm { text, json };

void set_up_log(spdlog::level::level_enum level, LogForm form);
LogForm log_form();  // that was set up

// What a line is about, besides its words.
struct LogField {
  LogField(std::string_view its_name, std::string_view text) : name(its_name), value(text) {}
  template <class Number>
  requires std::is_arithmetic_v<Number> LogField(std::string_view its_name, Number number)
      : name(its_name), value(fmt::format("{}", number)), is_number(true) {}

  std::string_view name;
  std::string value;
  bool is_number = false;
};

// For spdlog::info("{}", …): 'request finished id=req-1 tokens=5', or {…"message":"request
// finished","id":"req-1","tokens":5}.
std::string with_fields(std::string_view message, std::initializer_list<LogField> fields);

// A line that another process of ours logged, with that one's name.
std::string relayed(std::string_view process, std::string_view line);

}  // namespace ferry
