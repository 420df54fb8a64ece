#include "launch/io/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace ferry {
namespace {

Result example() {
  return {.id = "a",
          .prompt_ids = {1, 2},
          .ids = {7},
          .text = "Grüße\n",
          .finish_reason = "stop",
          .error = "",
          .logprobs = {{.id = 7, .logprob = -0.1f, .top = {{7, -0.1f}, {9, -2.4f}}}},
          .usage = {.prompt_tokens = 2, .completion_tokens = 1, .cached_tokens = 0},
          .route = {.prefill = "prefill-0", .decode = "decode-0", .policy = "disaggregated", .attempts = 1},
          .kv = {.bytes = 2048, .transport = "shm"},
          .ms = {.queue = 0.0004, .prefill = 1.23456, .ttft = 3, .total = 10.5}};
}

TEST(Results, TheJsonLineIsTheOneOfTheManual) {
  EXPECT_EQ(json_line(example()),
            R"({"id":"a","prompt_ids":[1,2],"ids":[7],"text":"Grüße\n","finish_reason":"stop","error":null,)"
            R"("logprobs":[{"id":7,"logprob":-0.1,"top":[[7,-0.1],[9,-2.4]]}],)"
            R"("usage":{"prompt_tokens":2,"completion_tokens":1,"cached_tokens":0},)"
            R"("route":{"prefill":"prefill-0","decode":"decode-0","policy":"disaggregated","attempts":1,"retries":[]},)"
            R"("kv":{"bytes":2048,"kept_tokens":0,"transport":"shm"},)"
            R"("ms":{"queue":0.0,"reserve":0.0,"prefill":1.235,"exposed_transfer":0.0,"verify":0.0,"attach":0.0,)"
            R"("ttft":3.0,"total":10.5}})");
}

TEST(Results, AnErrorIsTextAndTheRestIsStillThere) {
  const nlohmann::json line = nlohmann::json::parse(json_line(failed("b", "no pages")));
  EXPECT_EQ(line["error"], "no pages");
  EXPECT_EQ(line["finish_reason"], "error");
  EXPECT_EQ(line["ids"], nlohmann::json::array());
  EXPECT_EQ(line["usage"]["prompt_tokens"], 0);
}

TEST(Results, TheLineIsValidUtf8WhateverTheTextIs) {
  Result result = example();
  result.text = "a\xff\xc3z";
  result.error = "\xed\xa0\x80";
  const nlohmann::json line = nlohmann::json::parse(json_line(result));  // refuses what is not UTF-8
  EXPECT_EQ(line["text"], "a\xEF\xBF\xBD\xEF\xBF\xBDz");
}

TEST(Results, ALogprobThatIsNoNumberInJsonIsStillANumber) {
  Result result = example();
  result.logprobs[0].top = {{3, -std::numeric_limits<float>::infinity()}};
  EXPECT_EQ(nlohmann::json::parse(json_line(result))["logprobs"][0]["top"][0][1], -9999.0);
}

TEST(Results, PeopleReadTheTextAndThePathItTook) {
  EXPECT_EQ(readable(example(), Colours::off),
            "a: Grüße\n\n    prefill-0 → decode-0, KV 2KiB over shm · 2 + 1 tokens · first 3.0 ms, all 10.5 ms\n");
  Result local = example();
  local.text = "\x1b[2Jhi";
  local.route.attempts = 2;
  local.kv = {};
  EXPECT_EQ(
      readable(local, Colours::off),
      "a: \xEF\xBF\xBD[2Jhi\n    decode-0, KV stayed there · 2 + 1 tokens · first 3.0 ms, all 10.5 ms · 2 attempts\n");
  EXPECT_EQ(readable(failed("b", "no pages"), Colours::off), "b: error: no pages\n");
  EXPECT_THAT(readable(failed("b", "no pages"), Colours::on), testing::HasSubstr("\x1b[31merror"));
}

}  // namespace
}  // namespace ferry
