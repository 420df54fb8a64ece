#include "launch/config/byte_size.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

TEST(ByteSize, UnitsOfPeopleAreRead) {
  EXPECT_EQ(parse_byte_size("4096"), 4096u);
  EXPECT_EQ(parse_byte_size("4096B"), 4096u);
  EXPECT_EQ(parse_byte_size("256MiB"), size_t{256} << 20);
  EXPECT_EQ(parse_byte_size("2GiB"), size_t{2} << 30);
  EXPECT_EQ(parse_byte_size("1.5GB"), 1'500'000'000u);
  EXPECT_EQ(parse_byte_size("0.5KiB"), 512u);
}

TEST(ByteSize, WhatIsNoSizeIsRefused) {
  for (const char* text : {"", "MiB", "1 MiB", "1mib", "1e3", "-1", "nan", "inf", "1XB", "99999999TiB", "1.2.3"}) {
    EXPECT_EQ(parse_byte_size(text), std::nullopt) << text;
  }
}

TEST(ByteSize, TextIsExactWhereItCanBe) {
  EXPECT_EQ(byte_size_text(size_t{256} << 20), "256MiB");
  EXPECT_EQ(byte_size_text(1'500'000'000), "1.4GiB");
  EXPECT_EQ(byte_size_text(100), "100B");
  EXPECT_EQ(byte_size_text(0), "0B");
}

}  // namespace
}  // namespace ferry
