#include "launch/config/exposure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

using testing::HasSubstr;

TEST(Exposure, OnlyAddressesOfThisHostAloneAreLoopback) {
  for (const char* host : {"localhost", "127.0.0.1", "127.1.2.3", "::1"}) EXPECT_TRUE(is_loopback(host)) << host;
  for (const char* host :
       {"0.0.0.0", "::", "10.0.0.1", "head", "127.evil.example", "localhost.evil.example", "1127.0.0.1"})
    EXPECT_FALSE(is_loopback(host)) << host;
}

ClusterConfig with(RouterConfig router) {
  ClusterConfig config;
  config.router = std::move(router);
  config.source = {.file = "c.yaml", .lines = {{"router.listen", 7}}};
  return config;
}

TEST(Exposure, WhatOthersCanReachWantsAKeyATokenOrTheSwitch) {
  const HostPort open = {"0.0.0.0", 8000};
  EXPECT_FALSE(open_http(with({})));
  EXPECT_FALSE(open_control(with({})));
  EXPECT_THAT(*open_http(with({.listen = open})),
              testing::AllOf(testing::StartsWith("c.yaml:7: router.listen: 0.0.0.0:8000 "),
                             HasSubstr("router.keys: FILE"), HasSubstr("router.allow_unauthenticated: true")));
  EXPECT_FALSE(open_http(with({.listen = open, .keys = "keys"})));
  EXPECT_FALSE(open_http(with({.listen = open, .allow_unauthenticated = Switch::on})));
  EXPECT_TRUE(open_http(with({.listen = open, .tls = {"a", "b"}}))) << "TLS says nothing about who the client is";
  EXPECT_THAT(*open_control(with({.control = open})), HasSubstr("router.join_token: FILE"));
  EXPECT_FALSE(open_control(with({.control = open, .join_token = "token"})));
  EXPECT_FALSE(open_control(with({.control = open, .control_tls = {"a", "b", "c"}})));
  EXPECT_FALSE(open_control(with({.control = open, .allow_unauthenticated = Switch::on})));
}

}  // namespace
}  // namespace ferry
