#include "launch/api/api_error.h"

#include "core/base/error.h"
#include "core/base/quoted.h"
#include "launch/io/result_json.h"

namespace ferry {
namespace {

using nlohmann::ordered_json;

constexpr const char* kInvalidRequest = "invalid_request_error";

ordered_json or_null(const std::optional<std::string>& text) { return text ? ordered_json(*text) : ordered_json(); }

}  // namespace

std::string body_of(const ApiError& error) {
  const ordered_json body = {{"error",
                              {{"message", error.message},
                               {"type", error.type},
                               {"param", or_null(error.param)},
                               {"code", or_null(error.code)}}}};
  return text_of(body);
}

ApiError bad_request(std::string message, std::optional<std::string> param, std::optional<std::string> code) {
  return {400, std::move(message), kInvalidRequest, std::move(param), std::move(code)};
}

ApiError not_found(std::string_view path) {
  return {404, str("There is nothing at ", ferry::quoted(path)), kInvalidRequest, std::nullopt, "not_found"};
}

ApiError model_not_found(std::string_view model) {
  return {404, str("The model ", ferry::quoted(model), " does not exist"), kInvalidRequest, "model", "model_not_found"};
}

ApiError method_not_allowed(std::string_view method, std::string_view path) {
  return {405, str(ferry::quoted(path), " does not take ", ferry::quoted(method)), kInvalidRequest, std::nullopt,
          "method_not_allowed"};
}

ApiError deadline_exceeded(std::string message) {
  return {408, std::move(message), "timeout_error", std::nullopt, "deadline_exceeded"};
}

ApiError too_large(std::string message) {
  return {413, std::move(message), kInvalidRequest, std::nullopt, "request_too_large"};
}

ApiError invalid_api_key(std::string message) {
  return {401, std::move(message), kInvalidRequest, std::nullopt, "invalid_api_key"};
}

ApiError not_allowed(std::string message) {
  return {403, std::move(message), "permission_error", std::nullopt, "not_allowed"};
}

ApiError rate_limited(std::string message, double retry_after_s) {
  return {429, std::move(message), "rate_limit_error", std::nullopt, "rate_limit_exceeded", retry_after_s};
}

ApiError overloaded(std::string message, double retry_after_s) {
  return {429, std::move(message), "rate_limit_error", std::nullopt, "overloaded", retry_after_s};
}

ApiError unavailable(std::string message) {
  return {503, std::move(message), "server_error", std::nullopt, "unavailable"};
}

ApiError internal_error(std::string message) {
  return {500, std::move(message), "server_error", std::nullopt, "internal_error"};
}

}  // namespace ferry
