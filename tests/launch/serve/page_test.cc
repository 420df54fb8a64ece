#include "launch/serve/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Page, IsWhole) {
  const std::string html(page_html());
  EXPECT_THAT(html, HasSubstr("<style>\n:root {"));
  EXPECT_THAT(html, HasSubstr("<script>\"use strict\";"));
  EXPECT_THAT(html, Not(HasSubstr("@FERRY_")));
  EXPECT_THAT(html, testing::EndsWith("</html>\n"));
}

TEST(Page, ItsPolicyNamesItsScript) {
  EXPECT_THAT(page_policy(), testing::ContainsRegex("script-src 'sha256-[A-Za-z0-9+/]{43}=';"));
}

}  // namespace
}  // namespace ferry
