#pragma once
// The API, described in OpenAPI 3.1: what GET /openapi.json answers.

#include <string_view>

namespace ferry {

std::string_view openapi_document();

}  // namespace ferry
