#include "launch/io/log.h"

#include <fmt/chrono.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "launch/io/log_sink.h"
#include "launch/io/printable.h"

namespace ferry {

namespace {

using nlohmann::ordered_json;

constexpr const char* kJsonLogger = "ferry-json";
// Between message and fields, until the form of the line is known. Nothing printable has them.
constexpr char kText = '\x1f', kNumber = '\x1e';

struct Line {
  struct Field {
    std::string_view name, value;
    bool is_number = false;
  };
  std::string_view message;
  std::vector<Field> fields;
};

Line line_of(std::string_view payload) {
  constexpr std::string_view kEnds = "\x1f\x1e";
  size_t end = payload.find_first_of(kEnds);
  Line line = {.message = payload.substr(0, end), .fields = {}};
  while (end != std::string_view::npos) {
    const size_t next = payload.find_first_of(kEnds, end + 1);
    const std::string_view field = payload.substr(end + 1, next == std::string_view::npos ? next : next - end - 1);
    const size_t equals = field.find('=');
    line.fields.push_back(
        {.name = field.substr(0, equals), .value = field.substr(equals + 1), .is_number = payload[end] == kNumber});
    end = next;
  }
  return line;
}

std::string dumped(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

std::string quoted_where_needed(std::string_view value) {
  const bool plain = !value.empty() && value.find_first_of(" \t\n\"=\\") == std::string_view::npos;
  return plain ? std::string(value) : dumped(std::string(value));
}

int ms_of(const spdlog::details::log_msg& m) {
  using namespace std::chrono;
  return static_cast<int>(duration_cast<milliseconds>(m.time.time_since_epoch()).count() % 1000);
}

std::string_view level_of(const spdlog::details::log_msg& m) {
  const auto name = spdlog::level::to_string_view(m.level);
  return {name.data(), name.size()};
}

std::string text_line(const spdlog::details::log_msg& m, const Line& line) {
  const std::time_t time = std::chrono::system_clock::to_time_t(m.time);
  std::string text =
      fmt::format("{:%H:%M:%S}.{:03} {} {}", fmt::localtime(time), ms_of(m), level_of(m), printable(line.message));
  for (const auto& [name, value, is_number] : line.fields)
    text += fmt::format(" {}={}", name, quoted_where_needed(printable(value)));
  return text;
}

std::string json_line(const spdlog::details::log_msg& m, const Line& line) {
  const std::time_t time = std::chrono::system_clock::to_time_t(m.time);
  ordered_json json = {{"time", fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(time), ms_of(m))},
                       {"level", std::string(level_of(m))},
                       {"message", std::string(line.message)}};
  for (const auto& [name, value, is_number] : line.fields)
    json[std::string(name)] = is_number ? ordered_json::parse(value, nullptr, false) : ordered_json(std::string(value));
  return dumped(json);
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(LogForm form) : form_(form) {}
  void format(const spdlog::details::log_msg& m, spdlog::memory_buf_t& out) override {
    const Line line = line_of({m.payload.data(), m.payload.size()});
    const std::string text = form_ == LogForm::json ? json_line(m, line) : text_line(m, line);
    out.append(text.data(), text.data() + text.size());
    out.push_back('\n');
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<LineFormatter>(form_); }

 private:
  const LogForm form_;
};

class LineSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit LineSink(std::function<void(std::string_view line)> takes_line) : takes_line_(std::move(takes_line)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& m) override {
    spdlog::memory_buf_t line;
    formatter_->format(m, line);
    takes_line_({line.data(), line.size() - 1});
  }
  void flush_() override {}

  const std::function<void(std::string_view line)> takes_line_;
};

// spdlog shares its sinks between loggers; here each has one.
void replace_sink(spdlog::sink_ptr sink) {
  sink->set_formatter(std::make_unique<LineFormatter>(log_form()));
  spdlog::default_logger()->sinks() = {std::move(sink)};
}

}  // namespace

void set_up_log(spdlog::level::level_enum level, LogForm form) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt(form == LogForm::json ? kJsonLogger : "ferry"));
  spdlog::set_formatter(std::make_unique<LineFormatter>(form));
  spdlog::set_level(level);
}

void log_to(std::function<void(std::string_view line)> sink) {
  replace_sink(std::make_shared<LineSink>(std::move(sink)));
}

void log_to_stderr() { replace_sink(std::make_shared<spdlog::sinks::stderr_sink_mt>()); }

LogForm log_form() { return spdlog::default_logger()->name() == kJsonLogger ? LogForm::json : LogForm::text; }

std::string with_fields(std::string_view message, std::initializer_list<LogField> fields) {
  std::string payload = printable(message);
  for (const LogField& field : fields) {
    payload += field.is_number ? kNumber : kText;
    payload += fmt::format("{}={}", field.name, printable(field.value));
  }
  return payload;
}

std::string relayed(std::string_view process, std::string_view line) {
  if (log_form() == LogForm::text) return fmt::format("[{}] {}", process, line);
  const std::string name = dumped(std::string(process));
  if (line.starts_with('{')) return fmt::format("{{\"process\":{},{}", name, line.substr(1));
  return fmt::format("{{\"process\":{},\"message\":{}}}", name, dumped(std::string(line)));
}

}  // namespace ferry
