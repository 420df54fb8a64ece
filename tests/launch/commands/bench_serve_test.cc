#include "launch/commands/bench_serve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launch/process/child.h"
#include "tests/support/demo_model.h"
#include "tests/support/scratch_folder.h"

namespace ferry {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

struct Ran {
  int status = -1;
  std::vector<std::string> lines;  // of stdout and stderr
};

Ran bench_serve(const std::vector<std::string>& arguments) {
  Ran ran;
  ProcessCommand command{.words = {FERRY_BINARY_DIR "/ferry", "bench", "serve"}, .environment = {}};
  command.words.insert(command.words.end(), arguments.begin(), arguments.end());
  Child child(command, [&](std::string_view line) { ran.lines.emplace_back(line); });
  if (const std::optional<ProcessExit> exit = child.poll(std::chrono::seconds(100))) ran.status = exit->status;
  return ran;
}

TEST(BenchServe, EveryRunIsALineThatCountsEveryToken) {
  FERRY_DEMO_MODEL_OR_SKIP(model);
  const Ran ran =
      bench_serve({"--stub", "--model", model, "--stub-prefill", "30", "--stub-step", "10", "--requests", "12",
                   "--max-tokens", "5", "--rate", "100", "--concurrency", "3,6", "--ttft-slo", "1", "--json"});
  EXPECT_EQ(ran.status, 0) << testing::PrintToString(ran.lines);
  std::vector<nlohmann::json> lines;
  for (const std::string& line : ran.lines) {
    if (line.starts_with('{')) lines.push_back(nlohmann::json::parse(line));
  }
  ASSERT_EQ(lines.size(), 3u) << testing::PrintToString(ran.lines);
  EXPECT_EQ(lines[0].at("rate"), 100);
  EXPECT_EQ(lines[1].at("concurrency"), 3);
  for (const nlohmann::json& line : lines) {
    EXPECT_EQ(line.at("answered"), 12) << line;
    EXPECT_EQ(line.at("tokens"), 60) << line;
    EXPECT_EQ(line.at("good"), 0) << "the stub alone takes longer: " << line;
    EXPECT_GE(line.at("ttft_ms").at("p50"), 30) << line;
    EXPECT_GE(line.at("e2e_ms").at("p50"), 30 + 4 * 10) << line;
    EXPECT_GT(line.at("router").at("added_ms").at("p50"), 0) << line;
    EXPECT_GT(line.at("router").at("peak_mb"), 1) << line;
  }
  EXPECT_EQ(lines[1].at("most_open"), 3) << "as many clients, and no more";
}

// Tokens that came while those before were written were lost: the stream ended without them.
TEST(BenchServe, AStreamIsWholeHoweverFastItsTokensCome) {
  FERRY_DEMO_MODEL_OR_SKIP(model);
  const Ran ran = bench_serve(
      {"--stub", "--model", model, "--requests", "256", "--concurrency", "64", "--max-tokens", "200", "--json"});
  EXPECT_EQ(ran.status, 0) << testing::PrintToString(ran.lines);
  EXPECT_THAT(ran.lines, Contains(HasSubstr("\"tokens\":51200,")));
}

TEST(BenchServe, PeopleGetATableAndAPlot) {
  FERRY_DEMO_MODEL_OR_SKIP(model);
  const auto plot = std::filesystem::path(testing::TempDir()) / "bench_serve_test.svg";
  const Ran ran = bench_serve({"--stub", "--model", model, "--requests", "4", "--concurrency", "1,2", "--plot", plot});
  EXPECT_EQ(ran.status, 0) << testing::PrintToString(ran.lines);
  EXPECT_THAT(ran.lines, Contains(HasSubstr("TTFT p50 / p99 ms")));
  EXPECT_THAT(ran.lines, Contains(HasSubstr("the router adds")));
  std::ifstream file(plot);
  EXPECT_THAT(std::string(std::istreambuf_iterator<char>(file), {}), HasSubstr("ITL p99"));
}

TEST(BenchServe, ATraceIsReplayed) {
  FERRY_DEMO_MODEL_OR_SKIP(model);
  const std::string trace = testing::TempDir() + "bench_serve_test.csv";
  std::ofstream(trace)
      << "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.0,40,3\n2023-11-16 18:15:46.1,60,4\n";
  const Ran ran = bench_serve({"--stub", "--model", model, "--trace", trace, "--trace-lengths", "0.5", "--json"});
  EXPECT_EQ(ran.status, 0) << testing::PrintToString(ran.lines);
  EXPECT_THAT(ran.lines, Contains(HasSubstr("\"tokens\":4,"))) << "3 and 4, halved and rounded";
}

TEST(BenchServe, AServerThatIsNotThereIsAnError) {
  const Ran ran = bench_serve({"--url", "http://127.0.0.1:1", "--requests", "2", "--json"});
  EXPECT_EQ(ran.status, 3) << testing::PrintToString(ran.lines);
  EXPECT_THAT(ran.lines, Contains(HasSubstr("\"Connection refused\":2")));
}

TEST(BenchServe, AFileWithAKeyMustBeItsOwnersAlone) {
  const ScratchFolder scratch;
  const std::filesystem::path file = scratch.path() / "key";
  std::ofstream(file) << "alices-secret-key\n";
  std::filesystem::permissions(file, std::filesystem::perms(0644));
  const std::vector<std::string> arguments = {"--url",  "http://127.0.0.1:1", "--requests", "2",
                                              "--json", "--key-file",         file.string()};
  Ran ran = bench_serve(arguments);
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.lines, Contains(HasSubstr("chmod 600")));
  std::filesystem::permissions(file, std::filesystem::perms(0600));
  ran = bench_serve(arguments);
  EXPECT_EQ(ran.status, 3) << testing::PrintToString(ran.lines);
  EXPECT_THAT(ran.lines, Not(Contains(HasSubstr("alices-secret-key"))));
}

TEST(BenchServe, ItNeedsOneServer) {
  EXPECT_EQ(bench_serve({}).status, 1);
  EXPECT_EQ(bench_serve({"--stub", "--url", "http://127.0.0.1:1"}).status, 1);
}

}  // namespace
}  // namespace ferry
