#include <grpcpp/grpcpp.h>

#include <map>

#include "core/base/same_secret.h"
#include "transport/control/ferry.grpc.pb.h"
#include "transport/control/grpc_control.h"
#include "transport/control/grpc_options.h"
#include "transport/control/grpc_stream.h"
#include "transport/control/renewed_credentials.h"

namespace ferry {

namespace {

class ServerStream;

class GrpcControlServer final : public ControlStream, public Control::CallbackService {
 public:
  GrpcControlServer(const std::string& address, const ControlSecurity& security, std::function<void()> wake);
  ~GrpcControlServer() override;

  int port() const { return port_; }

  void send(StreamId stream, std::string message) override;
  void close(StreamId stream) override;
  std::optional<ControlEvent> poll() override { return events_.try_pop(); }
  std::optional<ControlEvent> wait(Duration timeout) override { return events_.pop(timeout); }

  // The end of a stream; it is deleted.
  void forget(StreamId stream);

 private:
  grpc::ServerBidiReactor<Frame, Frame>* Dial(grpc::CallbackServerContext* context) override;
  bool may_join(const grpc::CallbackServerContext& context) const;

  const std::string join_token_;
  CertificateSource certificates_;
  ControlEvents events_;
  int port_ = 0;
  std::mutex mutex_;
  std::map<StreamId, std::unique_ptr<ServerStream>> streams_;
  StreamId last_id_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

class ServerStream final : public GrpcStream<grpc::ServerBidiReactor<Frame, Frame>> {
 public:
  ServerStream(StreamId id, ControlEvents& events, grpc::CallbackServerContext& context, GrpcControlServer& server)
      : GrpcStream(id, events), context_(context), peer_(context.peer()), server_(server) {}

  void start() {
    report(StreamOpened{id()});
    StartSendInitialMetadata();
    read_next();
  }

 private:
  void end_writing(const std::string& why) override {
    const bool is_ordinary = why.empty() || why == kClosedHere;
    Finish(is_ordinary ? grpc::Status::OK : grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, why));
  }

  void cancel() override { context_.TryCancel(); }

  void OnDone() override {
    std::string why = why_closed();
    if (why.empty()) why = str(peer_, context_.IsCancelled() ? " is gone" : " closed");
    report(StreamClosed{id(), why});
    server_.forget(id());
  }

  grpc::CallbackServerContext& context_;
  const std::string peer_;  // gRPC forgets it when the connection breaks
  GrpcControlServer& server_;
};

// A call that is over before it began.
class RefusedStream final : public grpc::ServerBidiReactor<Frame, Frame> {
 public:
  explicit RefusedStream(const std::string& why) { Finish(grpc::Status(grpc::StatusCode::UNAUTHENTICATED, why)); }

 private:
  void OnDone() override { delete this; }  // as gRPC has it: a reactor lives until then
};

GrpcControlServer::GrpcControlServer(const std::string& address, const ControlSecurity& security,
                                     std::function<void()> wake)
    : join_token_(security.join_token), certificates_(security.tls), events_(kMaxUnreadBytes, std::move(wake)) {
  grpc::ServerBuilder builder;
  set_control_options([&](const char* name, int value) { builder.AddChannelArgument(name, value); });
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // two routers on one port would share its leaders
  builder.AddListeningPort(
      address, security.encrypts() ? certificates_.credentials() : grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
  if (!server_ || port_ == 0) {
    throw Error(str("cannot listen on ", address, ": the port is taken, or the address is not one of this host's",
                    security.encrypts() ? ", or router.control_tls has a file that is no PEM of its kind" : ""));
  }
}

GrpcControlServer::~GrpcControlServer() {
  events_.close();
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, stream] : streams_) stream->break_off("this end is shut down");
  }
  server_->Shutdown(std::chrono::system_clock::now());
  server_->Wait();
}

bool GrpcControlServer::may_join(const grpc::CallbackServerContext& context) const {
  if (join_token_.empty()) return true;
  const auto shown = context.client_metadata().find(kTokenKey);
  return shown != context.client_metadata().end() &&
         same_secret({shown->second.data(), shown->second.size()}, join_token_);
}

grpc::ServerBidiReactor<Frame, Frame>* GrpcControlServer::Dial(grpc::CallbackServerContext* context) {
  if (!may_join(*context)) {
    events_.push(StreamRefused{context->peer() + " dialed without the join token"}, kEventBytes);
    return new RefusedStream("the router wants its join token, and this is not it: router.join_token");
  }
  ServerStream* stream = nullptr;
  {
    const std::lock_guard lock(mutex_);
    const StreamId id = ++last_id_;
    auto owned = std::make_unique<ServerStream>(id, events_, *context, *this);
    stream = owned.get();
    streams_.emplace(id, std::move(owned));
  }
  stream->start();
  return stream;
}

void GrpcControlServer::send(StreamId stream, std::string message) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream);
  if (found != streams_.end()) found->second->send(std::move(message));
}

void GrpcControlServer::close(StreamId stream) {
  const std::lock_guard lock(mutex_);
  const auto found = streams_.find(stream);
  if (found != streams_.end()) found->second->close();
}

void GrpcControlServer::forget(StreamId stream) {
  const std::lock_guard lock(mutex_);
  streams_.erase(stream);
}

}  // namespace

ControlServer make_grpc_control_server(const std::string& address, const ControlSecurity& security,
                                       std::function<void()> wake) {
  silence_grpc();
  auto server = std::make_unique<GrpcControlServer>(address, security, std::move(wake));
  const int port = server->port();
  return {.streams = std::move(server), .port = port};
}

}  // namespace ferry
