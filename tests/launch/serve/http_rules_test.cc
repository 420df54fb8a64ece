#include "launch/serve/http_rules.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

HttpRequest request(unsigned version = 11) {
  HttpRequest r(http::verb::post, "/", version);
  r.set(http::field::host, "a");
  return r;
}

int status_of(const std::optional<ApiError>& objection) { return objection ? objection->status : 200; }

TEST(HttpRules, AHostIsNamedOnceAndOldClientsNeedNot) {
  EXPECT_EQ(status_of(objection_to(request())), 200);
  HttpRequest two = request();
  two.insert(http::field::host, "b");
  EXPECT_EQ(status_of(objection_to(two)), 400);
  EXPECT_EQ(status_of(objection_to(HttpRequest(http::verb::get, "/", 11))), 400);
  EXPECT_EQ(status_of(objection_to(HttpRequest(http::verb::get, "/", 10))), 200);
}

TEST(HttpRules, WhatABrowsersPageOrAProxySendsSaysSo) {
  EXPECT_FALSE(is_passed_on(request()));
  for (const char* sign : {"Origin", "origin", "Sec-Fetch-Site", "Forwarded", "Via", "X-Forwarded-For", "x-real-ip"}) {
    HttpRequest r = request();
    r.set(sign, "a");
    EXPECT_TRUE(is_passed_on(r)) << sign;
  }
}

TEST(HttpRules, OneCodingIsKnown) {
  for (const auto& [coding, status] :
       {std::pair{"chunked", 200}, {"Chunked", 200}, {"gzip, chunked", 501}, {"gzip", 501}}) {
    HttpRequest r = request();
    r.set(http::field::transfer_encoding, coding);
    EXPECT_EQ(status_of(objection_to(r)), status) << coding;
  }
  HttpRequest old = request(10);
  old.set(http::field::transfer_encoding, "chunked");
  EXPECT_EQ(status_of(objection_to(old)), 400);
}

TEST(HttpRules, OnlyOneThingCanBeExpected) {
  HttpRequest r = request();
  r.set(http::field::expect, "100-Continue");
  EXPECT_TRUE(asks_to_go_on(r));
  EXPECT_EQ(status_of(objection_to(r)), 200);
  r.version(10);
  EXPECT_FALSE(asks_to_go_on(r)) << "that knows no 100";
  r = request();
  r.set(http::field::expect, "a-miracle");
  EXPECT_EQ(status_of(objection_to(r)), 417);
}

TEST(HttpRules, ABodyIsJsonAlsoWhereCurlSaysOtherwise) {
  EXPECT_EQ(status_of(objection_to_type(request())), 200);
  for (const auto& [type, status] : {std::pair{"application/json", 200},
                                     {"Application/JSON ; charset=utf-8", 200},
                                     {"application/x-www-form-urlencoded", 200},
                                     {"text/plain", 415},
                                     {"", 415}}) {
    HttpRequest r = request();
    r.set(http::field::content_type, type);
    EXPECT_EQ(status_of(objection_to_type(r)), status) << type;
  }
  HttpRequest packed = request();
  packed.set(http::field::content_encoding, "gzip");
  EXPECT_EQ(status_of(objection_to_type(packed)), 415);
}

TEST(HttpRules, APathIsTheSameInEveryFormOfItsTarget) {
  for (const char* target :
       {"/health", "/health?a=b", "http://a/health", "HTTP://a:80/health?x", "/%68ealth", "/%68%65alth"})
    EXPECT_EQ(path_of(target), "/health") << target;
  EXPECT_EQ(path_of("http://a"), "/");
  EXPECT_EQ(path_of("*"), "*");
  for (const char* target : {"/a%2Fb", "/a%00", "/%zz", "/%6", "/%", "/a%3Fb", "/%+1"})
    EXPECT_EQ(path_of(target), target);
  EXPECT_EQ(path_of("/x?next=http://b/c"), "/x");
}

}  // namespace
}  // namespace ferry
