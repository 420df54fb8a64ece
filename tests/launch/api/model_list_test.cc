#include "launch/api/model_list.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace ferry {
namespace {

using nlohmann::json;

const ApiRules kRules = {.model = "tiny", .max_context = 512};
const json kEntry = {
    {"id", "tiny"}, {"object", "model"}, {"created", 17}, {"owned_by", "ferry"}, {"max_model_len", 512}};

TEST(ModelList, NamesTheOneModel) {
  EXPECT_EQ(json::parse(model_list(kRules, 17)), (json{{"object", "list"}, {"data", json::array({kEntry})}}));
}

TEST(ModelList, TheEntryOfAModelIsFoundByItsName) {
  EXPECT_EQ(json::parse(std::get<std::string>(model_entry("tiny", kRules, 17))), kEntry);
  const ApiError error = std::get<ApiError>(model_entry("tin", kRules, 17));
  EXPECT_EQ(error.status, 404);
  EXPECT_EQ(error.code, "model_not_found");
}

TEST(ApiErrors, HaveTheBodyThatClientsReadWhateverTheTextIs) {
  EXPECT_EQ(json::parse(body_of(bad_request("no", "n", "invalid_value"))),
            json::parse(R"({"error":{"message":"no","type":"invalid_request_error","param":"n",
                           "code":"invalid_value"}})"));
  EXPECT_EQ(json::parse(body_of(unavailable("a\xff"))),
            json::parse(R"({"error":{"message":"a\ufffd","type":"server_error","param":null,"code":"unavailable"}})"));
}

TEST(ApiErrors, HaveTheStatusOfTheirKind) {
  const std::vector<std::pair<ApiError, int>> kinds = {
      {not_found("/x"), 404},        {model_not_found("x"), 404}, {method_not_allowed("x", "/"), 405},
      {deadline_exceeded("x"), 408}, {too_large("x"), 413},       {overloaded("x", 2), 429},
      {internal_error("x"), 500},    {unavailable("x"), 503}};
  for (const auto& [error, status] : kinds) {
    EXPECT_EQ(error.status, status);
    EXPECT_TRUE(error.code) << status;
  }
}

}  // namespace
}  // namespace ferry
