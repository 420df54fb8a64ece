#include "transport/control/grpc_stream.h"

#include <gmock/gmock.h>

#include <optional>
#include <thread>
#include <vector>

namespace ferry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Stands in for gRPC's: remembers what was started, for the test to finish.
class Reactor {
 public:
  virtual ~Reactor() = default;
  virtual void OnReadDone(bool ok) = 0;
  virtual void OnWriteDone(bool ok) = 0;
  void StartRead(Frame* into) { reading = into; }
  void StartWrite(const Frame* from) { writing = from; }

  Frame* reading = nullptr;
  const Frame* writing = nullptr;
};

class Stream final : public GrpcStream<Reactor> {
 public:
  explicit Stream(ControlEvents& events) : GrpcStream(1, events) {}

  void start() { read_next(); }
  std::string why() { return why_closed(); }

  void receive(const std::string& bytes) {
    reading->set_payload(bytes);
    gRPC().OnReadDone(true);
  }
  // The message that was on its way; nullopt if none was.
  std::optional<std::string> written() {
    if (writing == nullptr) return std::nullopt;
    std::string bytes = std::exchange(writing, nullptr)->payload();
    gRPC().OnWriteDone(true);
    return bytes;
  }
  Reactor& gRPC() { return *this; }

  std::vector<std::string> ends;  // of writing: why
  int n_cancelled = 0;

 private:
  void end_writing(const std::string& why) override { ends.push_back(why); }
  void cancel() override { ++n_cancelled; }
};

class GrpcStreamTest : public testing::Test {
 protected:
  ControlEvents events_{kMaxUnreadBytes};
  Stream stream_{events_};
};

TEST_F(GrpcStreamTest, WritesOneMessageAtATimeInOrder) {
  stream_.send("a");
  stream_.send("b");
  EXPECT_EQ(stream_.written(), "a");
  EXPECT_EQ(stream_.written(), "b");
  EXPECT_EQ(stream_.written(), std::nullopt);
  stream_.send("c");
  EXPECT_EQ(stream_.written(), "c");
}

TEST_F(GrpcStreamTest, ReadsOneMessageAfterTheOther) {
  stream_.start();
  stream_.receive("a");
  stream_.receive("");
  EXPECT_EQ(std::get<StreamMessage>(events_.try_pop().value()).bytes, "a");
  EXPECT_EQ(std::get<StreamMessage>(events_.try_pop().value()).bytes, "");
}

TEST_F(GrpcStreamTest, ClosesAfterWhatWasSentAndOnce) {
  stream_.send("a");
  stream_.close();
  stream_.send("too late");
  EXPECT_THAT(stream_.ends, ElementsAre());
  EXPECT_EQ(stream_.written(), "a");
  EXPECT_THAT(stream_.ends, ElementsAre("closed by this end"));
  stream_.close();
  stream_.gRPC().OnReadDone(false);
  EXPECT_EQ(stream_.ends.size(), 1u);
  EXPECT_EQ(stream_.written(), std::nullopt);
}

TEST_F(GrpcStreamTest, EndsWhenTheOtherEndDoesAndDropsWhatIsUnsent) {
  stream_.send("a");
  stream_.send("b");
  stream_.gRPC().OnReadDone(false);
  EXPECT_THAT(stream_.ends, ElementsAre()) << "a write is still on its way";
  stream_.gRPC().OnWriteDone(false);
  EXPECT_THAT(stream_.ends, ElementsAre(""));
  EXPECT_EQ(stream_.why(), "");
}

TEST_F(GrpcStreamTest, AWriteThatFailsWaitsForTheReadThatFailsToo) {
  stream_.send("a");
  stream_.send("b");
  stream_.gRPC().OnWriteDone(false);
  EXPECT_THAT(stream_.ends, ElementsAre());
  stream_.gRPC().OnReadDone(false);
  EXPECT_THAT(stream_.ends, ElementsAre(""));
}

TEST_F(GrpcStreamTest, AMessageOverTheLimitClosesAfterWhatWasSent) {
  stream_.send("a");
  stream_.send(std::string(kMaxMessageBytes + 1, 'x'));
  EXPECT_EQ(stream_.written(), "a");
  EXPECT_THAT(stream_.ends, ElementsAre(HasSubstr("over the limit")));
  EXPECT_EQ(stream_.n_cancelled, 0);
}

TEST_F(GrpcStreamTest, APeerThatIsTooFarBehindIsCutOffAndOneThatCatchesUpIsNot) {
  const std::string message(kMaxUnsentBytes / 8, 'x');
  for (int i = 0; i < 100; ++i) {
    stream_.send(message);
    ASSERT_EQ(stream_.written(), message);
  }
  for (int i = 0; i < 8; ++i) stream_.send(message);
  EXPECT_EQ(stream_.n_cancelled, 1);
  EXPECT_THAT(stream_.why(), HasSubstr("behind"));
  stream_.gRPC().OnWriteDone(false);
  EXPECT_THAT(stream_.ends, ElementsAre(HasSubstr("behind")));
}

// Tells a thread, as gRPC does, that a write has to be finished.
class BusyReactor : public Reactor {
 public:
  void StartWrite(const Frame*) { started.push(1); }
  BoundedQueue<int> started{2};
};

class BusyStream final : public GrpcStream<BusyReactor> {
 public:
  explicit BusyStream(ControlEvents& events) : GrpcStream(1, events) {}

  void write(int n_messages) {
    Reactor& reactor = *this;
    for (int i = 0; i < n_messages; ++i) {
      started.pop(std::chrono::hours(1));
      reactor.OnWriteDone(true);
    }
  }
  void read(int n_messages) {
    Reactor& reactor = *this;
    read_next();
    for (int i = 0; i < n_messages; ++i) {
      reading->set_payload("up");
      reactor.OnReadDone(true);
    }
  }

 private:
  void end_writing(const std::string&) override {}
  void cancel() override {}
};

// A test for ThreadSanitizer.
TEST_F(GrpcStreamTest, TheOwnerAndTheThreadsOfGrpcDoNotCollide) {
  constexpr int kMessages = 1000;
  BusyStream stream(events_);
  std::thread writer([&] { stream.write(kMessages); });
  std::thread reader([&] { stream.read(kMessages); });
  for (int i = 0; i < kMessages; ++i) {
    stream.send("down");
    EXPECT_TRUE(events_.pop(std::chrono::hours(1)));
  }
  writer.join();
  reader.join();
  stream.close();
}

}  // namespace
}  // namespace ferry
