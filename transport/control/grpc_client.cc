#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <functional>
#include <optional>
#include <thread>

#include "transport/control/ferry.grpc.pb.h"
#include "transport/control/grpc_control.h"
#include "transport/control/grpc_options.h"
#include "transport/control/grpc_stream.h"

namespace ferry {

namespace {

constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kLongestPause = std::chrono::seconds(2);

struct Dialing {
  const std::string address;
  const ControlSecurity security;
};

std::shared_ptr<grpc::ChannelCredentials> credentials_of(const ControlSecurity& security) {
  if (!security.encrypts()) return grpc::InsecureChannelCredentials();
  const ControlTls now = security.tls();
  return grpc::SslCredentials(
      {.pem_root_certs = now.ca, .pem_private_key = now.key, .pem_cert_chain = now.certificate});
}

// What will be so the next time, too. That the router did not like our certificate cannot be told from its going away.
bool is_refusal(const grpc::Status& status) {
  const auto says = [&](const char* what) { return status.error_message().find(what) != std::string::npos; };
  // As OpenSSL says it, and BoringSSL: gRPC has one or the other.
  return status.error_code() == grpc::StatusCode::UNAUTHENTICATED || says("certificate verify failed") ||
         says("CERTIFICATE_VERIFY_FAILED");
}

// One attempt: a connection of its own, and one call over it.
class ClientStream final : public GrpcStream<grpc::ClientBidiReactor<Frame, Frame>> {
 public:
  // `over` is called once after start(), by a thread of gRPC's. This has to live until then.
  ClientStream(StreamId id, ControlEvents& events, const Dialing& dialing, std::function<void()> over)
      : GrpcStream(id, events), dialing_(dialing), over_(std::move(over)), stub_(channel_to(dialing)) {
    const std::string& token = dialing.security.join_token;
    if (!token.empty()) context_.AddMetadata(kTokenKey, token);
  }

  void start() {
    stub_.async()->Dial(&context_, this);
    AddHold();  // until end_writing: the owner may write at any time
    StartCall();
  }

  bool was_confirmed() const { return confirmed_; }

 private:
  static std::shared_ptr<grpc::Channel> channel_to(const Dialing& dialing) {
    grpc::ChannelArguments arguments;
    set_control_options([&](const char* name, int value) { arguments.SetInt(name, value); });
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);    // no back-off but ours
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 2000);  // also how long connecting may take
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 2000);
    return grpc::CreateCustomChannel(dialing.address, credentials_of(dialing.security), arguments);
  }

  void OnReadInitialMetadataDone(bool ok) override {
    if (!ok) return end_of_reading();
    confirmed_ = true;
    report(StreamOpened{id()});
    read_next();
  }

  void end_writing(const std::string&) override {
    if (confirmed_) StartWritesDone();
    RemoveHold();
  }

  void cancel() override { context_.TryCancel(); }

  void OnDone(const grpc::Status& status) override {
    std::string why = why_closed();
    if (why.empty()) {
      why = status.ok() ? str(dialing_.address, " closed") : str(dialing_.address, ": ", status.error_message());
    }
    if (confirmed_) report(StreamClosed{id(), why});
    if (is_refusal(status)) report(StreamRefused{why});
    over_();
  }

  const Dialing& dialing_;
  const std::function<void()> over_;
  grpc::ClientContext context_;
  Control::Stub stub_;
  std::atomic<bool> confirmed_ = false;
};

class GrpcControlClient final : public ControlStream {
 public:
  explicit GrpcControlClient(Dialing dialing) : dialing_(std::move(dialing)), dialer_([this] { keep_dialing(); }) {}

  ~GrpcControlClient() override {
    events_.close();
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (stream_) stream_->break_off("this end is shut down");
      changed_.notify_all();
    }
    dialer_.join();
  }

  void send(StreamId stream, std::string message) override {
    const std::lock_guard lock(mutex_);
    if (stream_ && stream_->id() == stream) stream_->send(std::move(message));
  }

  void close(StreamId stream) override {
    const std::lock_guard lock(mutex_);
    if (stream_ && stream_->id() == stream) stream_->close();
  }

  std::optional<ControlEvent> poll() override { return events_.try_pop(); }
  std::optional<ControlEvent> wait(Duration timeout) override { return events_.pop(timeout); }

 private:
  void keep_dialing() {
    Duration pause = kFirstPause;
    for (StreamId id = 1;; ++id) {
      pause = dial(id) ? kFirstPause : std::min(2 * pause, kLongestPause);
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, pause, [&] { return stopping_; })) return;
    }
  }

  // Returns when the stream has ended: whether there was one.
  bool dial(StreamId id) {
    bool is_over = false;
    const auto over = [&] {
      const std::lock_guard lock(mutex_);
      is_over = true;
      changed_.notify_all();
    };
    std::unique_lock lock(mutex_);
    if (stopping_) return false;
    stream_.emplace(id, events_, dialing_, over);
    stream_->start();
    changed_.wait(lock, [&] { return is_over; });
    const bool was_confirmed = stream_->was_confirmed();
    stream_.reset();
    return was_confirmed;
  }

  const Dialing dialing_;
  ControlEvents events_{kMaxUnreadBytes};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  std::optional<ClientStream> stream_;
  std::thread dialer_;
};

}  // namespace

std::unique_ptr<ControlStream> make_grpc_control_client(const std::string& address, ControlSecurity security) {
  silence_grpc();
  return std::make_unique<GrpcControlClient>(Dialing{.address = address, .security = std::move(security)});
}

}  // namespace ferry
