#include "launch/doctor/report.h"

#include <gtest/gtest.h>

#include <sstream>

#include "core/base/codec.h"

namespace ferry {
namespace {

std::vector<HostReport> example() {
  return {{.host = "node1",
           .findings = {{.level = Finding::Level::ok, .what = "CPU", .found = "fast"},
                        {.level = Finding::Level::problem,
                         .what = "mpirun",
                         .found = "none",
                         .cost = "no groups",
                         .advice = "apt-get install it"}}}};
}

TEST(Report, PeopleReadWhatItCostsAndWhatToType) {
  std::ostringstream out;
  print_report(example(), out, Colours::off);
  EXPECT_EQ(out.str(), R"(node1
  ok       CPU     fast
  problem  mpirun  none
                   no groups
                   → apt-get install it
1 problem, 0 warnings
)");
}

TEST(Report, ProgramsReadOneObject) {
  EXPECT_EQ(
      json_of(example(), {}),
      R"({"problems":1,"warnings":0,"hosts":[{"host":"node1","findings":[)"
      R"({"level":"ok","what":"CPU","found":"fast","cost":"","advice":""},)"
      R"({"level":"problem","what":"mpirun","found":"none","cost":"no groups","advice":"apt-get install it"}]}]})");
}

TEST(Report, TravelsBetweenRanks) {
  const std::optional<HostReport> back = unpack<HostReport>(pack(example()[0]));
  ASSERT_TRUE(back);
  EXPECT_EQ(json_of(std::vector<HostReport>{*back}, {}), json_of(example(), {}));
}

}  // namespace
}  // namespace ferry
