#include "launch/bench/load_client.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/base/error.h"

namespace ferry {
namespace {

TEST(EventReader, EventsAreTheSameWhereverTheBytesAreCut) {
  const std::string bytes = "data: {\"a\": 1}\n\n: a comment\n\ndata: [DONE]\n\n";
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    EventReader reader;
    std::vector<std::string> events;
    for (const std::string& part : {bytes.substr(0, cut), bytes.substr(cut)}) {
      reader.append(part);
      while (const auto event = reader.next()) events.emplace_back(*event);
    }
    EXPECT_EQ(events, (std::vector<std::string>{"{\"a\": 1}", "", "[DONE]"})) << cut;
  }
}

TEST(HostOf, AUrlNamesAHostAndAPort) {
  EXPECT_EQ(host_of("http://127.0.0.1:8000"), (HostPort{"127.0.0.1", 8000}));
  EXPECT_EQ(host_of("http://a.example/v1"), (HostPort{"a.example", 80}));
  for (const char* wrong :
       {"127.0.0.1:8000", "https://a", "http://", "http://a:", "http://a:b", "http://a:0", "http://a:70000"})
    EXPECT_THROW(host_of(wrong), Error) << wrong;
}

// What answers is the test itself: one connection after another gets the next of these texts, and is closed.
class Scripted {
 public:
  Scripted(asio::io_context& io, std::vector<std::string> answers)
      : acceptor_(io, {asio::ip::make_address("127.0.0.1"), 0}), answers_(std::move(answers)) {
    asio::co_spawn(io, serve(), asio::detached);
  }
  const std::vector<std::string>& keys() const { return keys_; }  // that were shown, as headers
  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }

 private:
  asio::awaitable<void> serve() {
    for (const std::string& answer : answers_) {
      tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
      beast::flat_buffer buffer;
      http::request<http::string_body> request;
      co_await http::async_read(socket, buffer, request, asio::use_awaitable);
      keys_.emplace_back(request[http::field::authorization]);
      co_await asio::async_write(socket, asio::buffer(answer), asio::use_awaitable);
    }
  }

  tcp::acceptor acceptor_;
  const std::vector<std::string> answers_;
  std::vector<std::string> keys_;
};

struct Asked {
  std::vector<StreamRecord> records;
  std::vector<std::string> keys;
};

Asked asked(const std::vector<std::string>& answers, const std::string& key = {}) {
  asio::io_context io;
  Scripted server(io, answers);
  LoadClient client(io, server.url(), key);
  std::vector<StreamRecord> records(answers.size());
  const auto ask_all = [&]() -> asio::awaitable<void> {
    for (StreamRecord& record : records) {
      std::string body = "{}";
      co_await client.ask(std::move(body), record);
    }
  };
  asio::co_spawn(io, ask_all(), asio::detached);
  io.run();
  return {.records = records, .keys = server.keys()};
}

std::vector<StreamRecord> records_of(const std::vector<std::string>& answers) { return asked(answers).records; }

std::string stream(const std::string& events) {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n" + events;
}

const std::string kPiece = R"(data: {"choices":[{"text":"ab"}]})"
                           "\n\n";
const std::string kUsage = R"(data: {"choices":[],"usage":{"completion_tokens":2}})"
                           "\n\n";

TEST(LoadClient, AStreamIsNotedPieceByPiece) {
  const auto records = records_of({stream(kPiece + kPiece + kUsage + "data: [DONE]\n\n")});
  EXPECT_EQ(records[0].error, "");
  EXPECT_EQ(records[0].status, 200);
  ASSERT_EQ(records[0].pieces.size(), 2u);
  EXPECT_EQ(records[0].pieces[1].n_bytes, 2);
  EXPECT_EQ(records[0].n_tokens, 2);
  EXPECT_LE(records[0].begun, records[0].pieces[0].at);
  EXPECT_LE(records[0].pieces[1].at, records[0].ended);
}

TEST(LoadClient, ShowsItsKeyWhereItHasOne) {
  const std::string refused = "HTTP/1.1 401 no\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
  const Asked with = asked({refused}, "alices-key"), without = asked({refused});
  EXPECT_EQ(with.keys, std::vector<std::string>{"Bearer alices-key"});
  EXPECT_EQ(without.keys, std::vector<std::string>{""});
  EXPECT_EQ(without.records[0].error, "HTTP 401: the server wants an API key, or another one");
}

TEST(LoadClient, WhatIsNoWholeAnswerIsAnError) {
  const auto records =
      records_of({"HTTP/1.1 503 no\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", stream(kPiece),
                  stream(kPiece + "data: {\"error\": {\"message\": \"why\"}}\n\ndata: [DONE]\n\n"),
                  stream("data: {\n\n"), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"});
  EXPECT_EQ(records[0].error, "HTTP 503");
  EXPECT_EQ(records[1].error, "the stream ended early");
  EXPECT_EQ(records[2].error, "why");
  EXPECT_EQ(records[3].error, "an event is no JSON");
  EXPECT_NE(records[4].error, "");
}

}  // namespace
}  // namespace ferry
