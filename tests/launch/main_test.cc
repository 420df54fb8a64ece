// The program as it is typed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "launch/io/printable.h"
#include "launch/process/child.h"

namespace ferry {
namespace {

using testing::AnyOf;
using testing::Contains;
using testing::Each;
using testing::HasSubstr;

struct Ran {
  int status = -1;
  std::vector<std::string> lines;  // of stdout and stderr
};

Ran ferry_with(const std::vector<std::string>& arguments) {
  Ran ran;
  ProcessCommand command{.words = {FERRY_BINARY_DIR "/ferry"}, .environment = {}};
  command.words.insert(command.words.end(), arguments.begin(), arguments.end());
  Child child(command, [&](std::string_view line) { ran.lines.emplace_back(line); });
  if (const std::optional<ProcessExit> exit = child.poll(std::chrono::seconds(60))) ran.status = exit->status;
  return ran;
}

// The names in `ferry --help`, between "Subcommands:" and an empty line.
std::vector<std::string> commands() {
  std::vector<std::string> names;
  bool is_inside = false;
  for (const std::string& line : ferry_with({"--help"}).lines) {
    if (is_inside && line.empty()) break;
    if (is_inside) names.push_back(line.substr(2, line.find(' ', 2) - 2));
    is_inside = is_inside || line == "Subcommands:";
  }
  return names;
}

TEST(Program, HelpFitsAScreen) {
  const Ran ran = ferry_with({"--help"});
  EXPECT_EQ(ran.status, 0);
  EXPECT_LE(ran.lines.size(), 24u);
  for (const std::string& line : ran.lines) EXPECT_LE(n_characters(line), 80u) << line;
}

TEST(Program, EachCommandsHelpHasAnExampleOfIt) {
  const std::vector<std::string> all = commands();
  ASSERT_THAT(all, testing::IsSupersetOf({"doctor", "tokenize"}));
  for (const std::string& name : all) {
    const Ran ran = ferry_with({name, "--help"});
    EXPECT_EQ(ran.status, 0) << name;
    EXPECT_THAT(ran.lines, Contains(testing::ContainsRegex("^Examples?:")).Times(1)) << name;
    EXPECT_THAT(ran.lines, Contains(HasSubstr("ferry " + name + " "))) << name;
  }
}

TEST(Program, VersionSaysWhatIsBuiltIn) {
  const Ran ran = ferry_with({"--version"});
  EXPECT_EQ(ran.status, 0);
  ASSERT_EQ(ran.lines.size(), 1u);
  EXPECT_THAT(ran.lines[0], testing::MatchesRegex("ferry [0-9.]+ \\(UCX [0-9.]+, .*, (no CUDA|CUDA [0-9.]+)\\)"));
}

TEST(Program, WrongUsageIsExitCode2) {
  EXPECT_EQ(ferry_with({}).status, 2);
  EXPECT_EQ(ferry_with({"doctor", "--nonsense"}).status, 2);
  EXPECT_EQ(ferry_with({"tokenize"}).status, 2) << "without the model it needs";
  const Ran ran = ferry_with({"tokenise"});
  EXPECT_EQ(ran.status, 2);
  EXPECT_THAT(ran.lines, Contains("ferry: no command 'tokenise'; did you mean 'tokenize'? `ferry --help` lists all."));
}

TEST(Program, AWorldThatIsNotAsNeededIsExitCode1AndALine) {
  const Ran ran = ferry_with({"tokenize", "--model", "/none.gguf"});
  EXPECT_EQ(ran.status, 1);
  ASSERT_EQ(ran.lines.size(), 1u);
  EXPECT_THAT(ran.lines[0], testing::StartsWith("ferry: cannot open /none.gguf: "));
}

TEST(Program, TheDoctorOfABrokenYamlSaysWhereAndEndsWith1) {
  const Ran ran = ferry_with({"doctor", FERRY_SOURCE_DIR "/.gitignore"});
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.lines, Contains(HasSubstr(".gitignore:1: ")));
}

}  // namespace
}  // namespace ferry
