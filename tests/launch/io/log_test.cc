#include "launch/io/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

namespace ferry {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::MatchesRegex;

// What is logged while it lives, as stderr gets it.
class Logging : public testing::Test {
 protected:
  ~Logging() override {
    spdlog::drop_all();
    spdlog::set_default_logger(before_);
  }
  std::string logged(LogForm form, const std::string& payload) {
    spdlog::drop_all();
    set_up_log(spdlog::level::info, form);
    testing::internal::CaptureStderr();
    spdlog::info("{}", payload);
    return testing::internal::GetCapturedStderr();
  }

 private:
  std::shared_ptr<spdlog::logger> before_ = spdlog::default_logger();
};

TEST_F(Logging, TextIsALineWithItsFieldsAfterTheWords) {
  const std::string payload = with_fields("request over", {{"id", "req-1"}, {"end", "no \"room\""}, {"ms", 1.5}});
  EXPECT_THAT(logged(LogForm::text, payload),
              MatchesRegex("[0-9:.]+ info request over id=req-1 end=\"no \\\\\"room\\\\\"\" ms=1.5\n"));
}

TEST_F(Logging, JsonHasTheSameFieldsAsValues) {
  const std::string payload = with_fields("request over", {{"id", "req-1"}, {"why", "a\nb \"c\""}, {"tokens", 5}});
  const json line = json::parse(logged(LogForm::json, payload));
  EXPECT_EQ(line.at("message"), "request over");
  EXPECT_EQ(line.at("level"), "info");
  EXPECT_EQ(line.at("id"), "req-1");
  EXPECT_EQ(line.at("why"), "a\nb \"c\"");
  EXPECT_EQ(line.at("tokens"), 5);
  EXPECT_THAT(line.at("time").get<std::string>(), MatchesRegex("[0-9-]+T[0-9:]+\\.[0-9]{3}Z"));
}

TEST_F(Logging, WhatOthersWroteCannotMakeUpFields) {
  const std::string payload = with_fields("request over", {{"end",
                                                            "x\x1fid=forged\x1e"
                                                            "tokens=7"}});
  const json line = json::parse(logged(LogForm::json, payload));
  EXPECT_FALSE(line.contains("id"));
  EXPECT_FALSE(line.contains("tokens"));
  EXPECT_THAT(logged(LogForm::text, with_fields("a", {{"b", "\x1b[2J"}})), testing::Not(HasSubstr("\x1b")));
}

TEST_F(Logging, LinesOfOtherProcessesSayWhoseTheyAre) {
  logged(LogForm::text, "");
  EXPECT_EQ(relayed("decode-0", "hello"), "[decode-0] hello");
  logged(LogForm::json, "");
  EXPECT_EQ(log_form(), LogForm::json);
  EXPECT_EQ(json::parse(relayed("decode-0", R"({"message":"hello"})")),
            json({{"process", "decode-0"}, {"message", "hello"}}));
  EXPECT_EQ(json::parse(relayed("decode-0", "not \"JSON\"")).at("message"), "not \"JSON\"");
}

}  // namespace
}  // namespace ferry
