#include "launch/commands/bench_transfer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "launch/process/child.h"

namespace ferry {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

struct Ran {
  int status = -1;
  std::vector<std::string> lines;  // of stdout and stderr
};

Ran bench_transfer(const std::vector<std::string>& arguments) {
  Ran ran;
  ProcessCommand command{.words = {FERRY_BINARY_DIR "/ferry", "bench", "transfer", "--total-mib", "2", "--repeat", "2"},
                         .environment = {}};
  command.words.insert(command.words.end(), arguments.begin(), arguments.end());
  Child child(command, [&](std::string_view line) { ran.lines.emplace_back(line); });
  if (const std::optional<ProcessExit> exit = child.poll(std::chrono::seconds(100))) ran.status = exit->status;
  return ran;
}

std::vector<nlohmann::json> json_of(const Ran& ran) {
  std::vector<nlohmann::json> all;
  for (const std::string& line : ran.lines) {
    if (line.starts_with('{')) all.push_back(nlohmann::json::parse(line));
  }
  return all;
}

TEST(BenchTransfer, EveryLineSaysWhatWasMovedHowFastAndWhetherItArrived) {
  const Ran ran = bench_transfer({"--transport", "shm", "--pieces", "8192,65536", "--json"});
  EXPECT_EQ(ran.status, 0) << testing::PrintToString(ran.lines);
  const std::vector<nlohmann::json> lines = json_of(ran);
  ASSERT_EQ(lines.size(), 2u + 6u);  // sizes, and handoffs
  for (const nlohmann::json& line : lines) {
    EXPECT_EQ(line.at("transport"), "shm") << line;
    EXPECT_EQ(line.at("correct"), true) << line;
    EXPECT_GT(line.at("gb_per_s"), 0) << line;
    EXPECT_GT(line.at("memcpy_gb_per_s"), 0) << line;
    EXPECT_LE(line.at("gb_per_s_spread").at(0), line.at("gb_per_s_spread").at(1)) << line;
  }
  EXPECT_EQ(lines[0].at("piece_bytes"), 8192);
  EXPECT_EQ(lines[1].at("piece_bytes"), 65536);
  EXPECT_EQ(lines[1].at("pieces"), 32);
  EXPECT_GT(lines[0].at("latency_us"), 0);
}

TEST(BenchTransfer, TheTransportIsTheOneThatReallyCarries) {
  const Ran ran = bench_transfer({"--transport", "tcp", "--pieces", "262144", "--only", "pieces", "--json"});
  EXPECT_EQ(ran.status, 0) << testing::PrintToString(ran.lines);
  const std::vector<nlohmann::json> lines = json_of(ran);
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].at("transport"), "tcp");
  EXPECT_EQ(lines[0].at("correct"), true);
}

TEST(BenchTransfer, PeopleGetATableAndAPlot) {
  const auto plot = std::filesystem::path(testing::TempDir()) / "bench_transfer_test.svg";
  const Ran ran = bench_transfer({"--transport", "shm", "--pieces", "65536", "--only", "pieces", "--plot", plot});
  EXPECT_EQ(ran.status, 0) << testing::PrintToString(ran.lines);
  EXPECT_THAT(ran.lines, Contains(AllOf(HasSubstr("GB/s"), HasSubstr("memcpy"), HasSubstr("correct"))));
  EXPECT_THAT(ran.lines, Contains(AllOf(HasSubstr("shm"), HasSubstr("64 KiB"), HasSubstr("yes"))));
  std::ifstream file(plot);
  const std::string svg(std::istreambuf_iterator<char>(file), {});
  EXPECT_THAT(svg, AllOf(HasSubstr("<svg"), HasSubstr("memcpy")));
}

TEST(BenchTransfer, APieceThatDoesNotFitIsAnError) {
  const Ran ran = bench_transfer({"--transport", "shm", "--pieces", "4194304"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.lines, Contains(HasSubstr("--pieces 4194304")));
}

}  // namespace
}  // namespace ferry
