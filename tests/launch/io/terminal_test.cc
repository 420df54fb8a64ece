#include "launch/io/terminal.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <sstream>

#include "launch/io/printable.h"
#include "launch/io/progress.h"
#include "launch/io/table.h"
#include "tests/support/manual_clock.h"

namespace ferry {
namespace {

TEST(Terminal, APipeIsNoTerminalAndGetsNoColours) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_FALSE(is_terminal(ends[1]));
  EXPECT_EQ(colours_for(ends[1]), Colours::off);
  close(ends[0]);
  close(ends[1]);
  EXPECT_EQ(tinted("x", Tint::red, Colours::off), "x");
  EXPECT_EQ(tinted("x", Tint::red, Colours::on), "\x1b[31mx\x1b[0m");
}

TEST(Printable, KeepsTextAndReplacesWhatActsOnATerminal) {
  EXPECT_EQ(printable("Grüße, 世界 🚢\n\t."), "Grüße, 世界 🚢\n\t.");
  EXPECT_EQ(printable("a\x1b[31mb\rc\x7f"),
            "a\xEF\xBF\xBD[31mb\xEF\xBF\xBD"
            "c\xEF\xBF\xBD");
  EXPECT_EQ(printable("\xC2\x9B"), "\xEF\xBF\xBD");  // C1: a one-character escape sequence
}

TEST(Printable, ReplacesWhatIsNotUtf8) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(printable("\xff\xc3z"), r + r + "z");
  EXPECT_EQ(printable("\xc0\xaf"), r + r);          // overlong
  EXPECT_EQ(printable("\xed\xa0\x80"), r + r + r);  // a surrogate
  EXPECT_EQ(printable("\xf4\x90\x80\x80"), r + r + r + r);
  EXPECT_EQ(printable("\xe4\xb8"), r);  // one character, cut off
}

TEST(Table, ColumnsAreAsWideAsTheirWidestCellAndNumbersStandToTheRight) {
  Table table({"what", "ms"});
  table.row({"größer", "1.5"});
  table.row({"b", "100"});
  std::ostringstream out;
  table.print(out);
  EXPECT_EQ(out.str(),
            "what     ms\n"
            "größer  1.5\n"
            "b       100\n");
}

TEST(Progress, OnATerminalOneLineIsRewrittenAndEnded) {
  ManualClock clock;
  std::ostringstream out;
  {
    Progress progress("load", 4, clock, out, Progress::Form::terminal);
    progress.update(1);
    progress.update(2);  // too soon to be shown
    clock.advance(ms(150));
    progress.update(3, "9 MB/s");
    progress.update(4);  // the last one always is
  }
  EXPECT_EQ(out.str(),
            "\rload ━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄ 1/4\x1b[K"
            "\rload ━━━━━━━━━━━━━━━━━━┄┄┄┄┄┄ 3/4  9 MB/s\x1b[K"
            "\rload ━━━━━━━━━━━━━━━━━━━━━━━━ 4/4\x1b[K\n");
}

TEST(Progress, ElsewhereALineComesNowAndThen) {
  ManualClock clock;
  std::ostringstream out;
  {
    Progress progress("load", 1000, clock, out, Progress::Form::plain);
    for (size_t done = 0; done <= 1000; ++done) {
      progress.update(done);
      clock.advance(ms(10));
    }
  }
  EXPECT_EQ(out.str(), "load 0/1000\nload 500/1000\nload 1000/1000\n");
}

}  // namespace
}  // namespace ferry
