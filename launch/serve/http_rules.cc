#include "launch/serve/http_rules.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "core/base/error.h"

namespace ferry {

namespace {

ApiError refused(int status, std::string message) {
  return {.status = status, .message = std::move(message), .type = "invalid_request_error"};
}

// "application/json; charset=utf-8" → "application/json"
std::string media_type(std::string_view field) {
  std::string type(field.substr(0, field.find(';')));
  while (!type.empty() && type.back() == ' ') type.pop_back();
  std::ranges::transform(type, type.begin(), [](unsigned char c) { return std::tolower(c); });
  return type;
}

// Only what means the same with and without '%'; any other octet stays as it is.
std::optional<char> unquoted(std::string_view escape) {
  int octet = 0;
  if (escape.size() < 3) return std::nullopt;
  const auto [end, failed] = std::from_chars(escape.data() + 1, escape.data() + 3, octet, 16);
  const auto c = static_cast<unsigned char>(octet);
  const bool is_unreserved = std::isalnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
  if (failed != std::errc() || end != escape.data() + 3 || !is_unreserved) return std::nullopt;
  return static_cast<char>(octet);
}

}  // namespace

std::optional<ApiError> objection_to(const HttpHeader& header) {
  const auto n_hosts = header.count(http::field::host);
  if (n_hosts > 1 || (n_hosts == 0 && header.version() >= 11)) return refused(400, "a request names one host");
  if (const auto coding = header.find(http::field::transfer_encoding); coding != header.end()) {
    if (header.version() < 11) return refused(400, "HTTP/1.0 knows no Transfer-Encoding");
    if (!beast::iequals(coding->value(), "chunked") || header.count(http::field::transfer_encoding) > 1)
      return refused(501, "the only Transfer-Encoding here is chunked");
  }
  const auto expected = header.find(http::field::expect);
  if (expected != header.end() && header.version() >= 11 && !asks_to_go_on(header))
    return refused(417, str("nobody here can do what Expect says: ", std_view(expected->value())));
  return std::nullopt;
}

bool is_passed_on(const HttpHeader& header) {
  constexpr std::string_view kSigns[] = {"Origin", "Sec-Fetch-Site",  "Forwarded",
                                         "Via",    "X-Forwarded-For", "X-Real-IP"};
  return std::ranges::any_of(kSigns, [&](std::string_view sign) {
    return header.find({sign.data(), sign.size()}) != header.end();
  });
}

bool asks_to_go_on(const HttpHeader& header) {
  return header.version() >= 11 && beast::iequals(header[http::field::expect], "100-continue");
}

std::optional<ApiError> objection_to_type(const HttpHeader& header) {
  if (const auto coding = header.find(http::field::content_encoding);
      coding != header.end() && !beast::iequals(coding->value(), "identity"))
    return refused(415, "no Content-Encoding is known here");
  const auto field = header.find(http::field::content_type);
  if (field == header.end()) return std::nullopt;
  const std::string type = media_type(std_view(field->value()));
  // curl -d says the second without being asked.
  if (type == "application/json" || type == "application/x-www-form-urlencoded") return std::nullopt;
  return refused(415, "the body is to be application/json, not " + type);
}

std::string path_of(std::string_view target) {
  if (const size_t scheme = target.find("://"); scheme != target.npos && !target.starts_with('/')) {
    const size_t slash = target.find('/', scheme + 3);
    target = slash == target.npos ? "/" : target.substr(slash);
  }
  target = target.substr(0, target.find('?'));
  std::string path;
  for (size_t i = 0; i < target.size(); ++i) {
    const auto octet = target[i] == '%' ? unquoted(target.substr(i)) : std::nullopt;
    path += octet.value_or(target[i]);
    if (octet) i += 2;
  }
  return path;
}

std::string path_of(const HttpHeader& header) { return path_of(std_view(header.target())); }

}  // namespace ferry
