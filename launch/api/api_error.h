#pragma once
// What the API answers instead of a completion, in the shape and with the codes of OpenAI's API.

#include <optional>
#include <string>
#include <string_view>

namespace ferry {

struct ApiError {
  int status = 500;  // HTTP
  std::string message;
  std::string type;
  std::optional<std::string> param;  // the field that is at fault
  std::optional<std::string> code;
  std::optional<double> retry_after_s = std::nullopt;  // for the header Retry-After
};

// {"error": {"message", "type", "param", "code"}}
std::string body_of(const ApiError& error);

ApiError bad_request(std::string message, std::optional<std::string> param = std::nullopt,
                     std::optional<std::string> code = std::nullopt);
ApiError not_found(std::string_view path);
ApiError model_not_found(std::string_view model);
ApiError method_not_allowed(std::string_view method, std::string_view path);
ApiError deadline_exceeded(std::string message);
ApiError too_large(std::string message);
ApiError invalid_api_key(std::string message);
ApiError not_allowed(std::string message);
ApiError rate_limited(std::string message, double retry_after_s);
ApiError overloaded(std::string message, double retry_after_s);
ApiError unavailable(std::string message);
ApiError internal_error(std::string message);

}  // namespace ferry
