#include "launch/serve/http_client.h"

#include <gtest/gtest.h>

#include "core/base/error.h"

namespace ferry {
namespace {

TEST(HttpClient, AddressesOfRoutersAreUnderstood) {
  for (const char* url : {"http://127.0.0.1:8000", "https://router.example", "http://[::1]:8000"})
    EXPECT_EQ(HttpClient({.url = url}).url(), url);
  EXPECT_EQ(HttpClient({.url = "http://a:1//"}).url(), "http://a:1") << "paths are put behind it";
}

TEST(HttpClient, WhatIsNoAddressOfARouterIsAnError) {
  for (const char* url : {"", "127.0.0.1:8000", "ftp://a", "http://", "http://:80", "http://a:", "http://a:b",
                          "http://a/path", "http://[::1]"})
    EXPECT_THROW(HttpClient({.url = url}), Error) << url;
}

}  // namespace
}  // namespace ferry
