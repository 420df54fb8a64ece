#include "launch/io/json_fields.h"

#include <charconv>

#include "core/base/quoted.h"

namespace ferry {

using nlohmann::json;

namespace {

std::string found_in(const json& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().empty() ? "empty text" : "text";
  if (value.is_array()) return value.empty() ? "an empty list" : "a list";
  return value.is_object() ? "an object" : value.dump();
}

Problem set_stop_text(const json& value, std::string& out) {
  Problem problem = set_text(value, out);
  if (problem.empty() && out.size() > kMostStopBytes) return fmt::format("longer than {} bytes", kMostStopBytes);
  return problem;
}

std::optional<int> id_of(std::string_view digits) {
  int id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  const bool is_id = error == std::errc() && end == digits.data() + digits.size() && id >= 0;
  return is_id ? std::optional(id) : std::nullopt;
}

}  // namespace

Problem expected(std::string_view what, const json& found) {
  return fmt::format("expected {}, found {}", what, found_in(found));
}

Problem set_whole(const json& value, int low, int high, int& out) {
  const bool fits = value.is_number_unsigned() && value.get<uint64_t>() >= static_cast<uint64_t>(low) &&
                    value.get<uint64_t>() <= static_cast<uint64_t>(high);
  if (!fits) return expected(fmt::format("a whole number from {} to {}", low, high), value);
  out = value.get<int>();
  return {};
}

Problem set_whole(const json& value, int low, int high, std::optional<int>& out) {
  return set_whole(value, low, high, out.emplace());
}

Problem set_real(const json& value, double low, double high, float& out) {
  const bool fits = value.is_number() && value.get<double>() >= low && value.get<double>() <= high;
  if (!fits) return expected(fmt::format("a number from {} to {}", low, high), value);
  out = value.get<float>();
  return {};
}

Problem set_text(const json& value, std::string& out) {
  const bool fits = value.is_string() && !value.get_ref<const std::string&>().empty();
  if (!fits) return expected("text", value);
  out = value.get<std::string>();
  return {};
}

Problem set_flag(const json& value, bool& out) {
  if (!value.is_boolean()) return expected("true or false", value);
  out = value.get<bool>();
  return {};
}

Problem set_seed(const json& value, std::optional<uint64_t>& out) {
  if (!value.is_number_integer()) return expected("a whole number of 64 bits", value);
  out = value.get<uint64_t>();
  return {};
}

Problem set_ids(const json& value, std::vector<int>& out) {
  const bool filled = value.is_array() && !value.empty();
  if (!filled) return expected("a list of token ids", value);
  out.clear();
  for (const json& item : value) {
    const Problem problem = set_whole(item, 0, kMaxInt, out.emplace_back());
    if (!problem.empty()) return fmt::format("item {}: {}", out.size() - 1, problem);
  }
  return {};
}

Problem set_stop(const json& value, std::vector<std::string>& out) {
  out.clear();
  if (value.is_string()) return set_stop_text(value, out.emplace_back());
  if (!value.is_array()) return expected("text or a list of texts", value);
  if (value.size() > kMostStops) return fmt::format("more than {} texts", kMostStops);
  for (const json& item : value) {
    const Problem problem = set_stop_text(item, out.emplace_back());
    if (!problem.empty()) return fmt::format("item {}: {}", out.size() - 1, problem);
  }
  return {};
}

Problem set_logit_bias(const json& value, std::vector<LogitBias>& out) {
  constexpr double kMost = 100;  // more would not change what is chosen
  if (!value.is_object()) return expected("an object of token ids and biases", value);
  if (value.size() > kMostBiases) return fmt::format("more than {} tokens", kMostBiases);
  out.clear();
  for (const auto& [key, bias] : value.items()) {
    const std::optional<int> id = id_of(key);
    if (!id) return fmt::format("{} is no token id", ferry::quoted(key));
    const Problem problem = set_real(bias, -kMost, kMost, out.emplace_back(LogitBias{.id = *id}).bias);
    if (!problem.empty()) return fmt::format("token {}: {}", *id, problem);
  }
  return {};
}

}  // namespace ferry
