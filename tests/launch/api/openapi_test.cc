#include "launch/api/openapi.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

#include "launch/api/completion_request.h"

namespace ferry {
namespace {

using nlohmann::json;

std::set<std::string> properties_of(const json& schemas, const char* request) {
  std::set<std::string> names;
  for (const json& part : schemas[request]["allOf"]) {
    const json& schema = part.contains("$ref") ? schemas["generation"] : part;
    for (const auto& [name, description] : schema["properties"].items()) names.insert(name);
  }
  return names;
}

TEST(OpenApi, DescribesTheFieldsOfBothEndpointsAndNoOthers) {
  const json schemas = json::parse(openapi_document())["components"]["schemas"];
  for (const auto& [endpoint, request] :
       {std::pair(Endpoint::chat, "chat_request"), std::pair(Endpoint::text, "text_request")}) {
    std::set<std::string> fields;
    for (const ApiField& field : api_fields(endpoint)) fields.emplace(field.name);
    EXPECT_EQ(properties_of(schemas, request), fields) << request;
  }
}

TEST(OpenApi, DescribesEveryPathThatIsServed) {
  const std::string path = FERRY_SOURCE_DIR "/launch/serve/service.cc";
  std::ifstream file(path);
  std::stringstream source;
  source << file.rdbuf();
  const std::string text = source.str();
  const std::regex route(R"re(Route\{http::verb::(\w+), "([^"]+)")re");
  std::set<std::string> served;
  for (std::sregex_iterator it(text.begin(), text.end(), route), end; it != end; ++it) {
    std::string name = (*it)[2];
    if (name.ends_with('*')) name.replace(name.size() - 1, 1, "{id}");
    served.insert((*it)[1].str() + " " + name);
  }
  ASSERT_GE(served.size(), 8u) << "the table of " << path << " is not found";

  std::set<std::string> described;
  const json document = json::parse(openapi_document());
  for (const auto& [name, methods] : document["paths"].items()) {
    for (const auto& [method, operation] : methods.items()) described.insert(method + " " + name);
  }
  EXPECT_EQ(described, served);
}

void expect_references_lead_somewhere(const json& value, const json& document) {
  if (value.is_object() && value.contains("$ref")) {
    const std::string reference = value["$ref"];
    EXPECT_TRUE(reference.starts_with("#/") && document.contains(json::json_pointer(reference.substr(1)))) << reference;
  }
  if (!value.is_structured()) return;
  for (const json& part : value) expect_references_lead_somewhere(part, document);
}

TEST(OpenApi, ReferencesLeadSomewhere) {
  const json document = json::parse(openapi_document());
  expect_references_lead_somewhere(document, document);
}

}  // namespace
}  // namespace ferry
