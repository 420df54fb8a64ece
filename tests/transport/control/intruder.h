#pragma once
// What all intruders have in common: a stream to the router, and what a group has to say to be let in.

#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/seam/kv_link.h"
#include "core/wire/messages.h"
#include "transport/control/grpc_control.h"

namespace ferry {

class Intruder {
 public:
  Intruder(const std::string& address, wire::GroupInfo info)
      : router_(make_grpc_control_client(address)), info_(std::move(info)) {}
  virtual ~Intruder() = default;

  void run() {
    while (!over_) {
      const auto event = router_->wait(std::chrono::milliseconds(1));
      if (event) std::visit([this](const auto& e) { take(e); }, *event);
      if (link_) (void)link_->poll();
    }
  }

 protected:
  virtual void opened() = 0;
  virtual void told(const wire::Introduce&) {}
  virtual void told(const wire::Forget& m) { print("forgets", m.why); }
  virtual void told(const wire::Connect&) {}
  virtual void told(const wire::Reserve&) {}
  virtual void told(const wire::Prefill&) {}
  virtual void told(const wire::Abort&) {}
  virtual void told(const wire::Run&) {}
  virtual void told(const wire::Refuse& m) { print("refuses", m.why); }
  virtual void closed() {}
  template <class Message>
  void told(const Message&) {}

  void print(const char* what, const std::string& why) {
    std::printf("%s: %s\n", what, why.c_str());
    std::fflush(stdout);
  }
  void say(const wire::ToRouter& message) { router_->send(stream_, pack(message)); }
  void send(std::string bytes) { router_->send(stream_, std::move(bytes)); }
  void hang_up() { router_->close(stream_); }
  void leave() { over_ = true; }

  std::unique_ptr<ControlStream> router_;
  wire::GroupInfo info_;
  std::unique_ptr<KvLink> link_;  // polled, where there is one

 private:
  void take(const StreamOpened& e) {
    stream_ = e.stream;
    opened();
  }
  void take(const StreamClosed&) { closed(); }
  void take(const StreamRefused& e) { throw Error(e.why); }
  void take(const StreamMessage& e) {
    const auto message = unpack<wire::ToLeader>(e.bytes);
    if (!message) throw Error("the router speaks another language");
    std::visit([this](const auto& m) { told(m); }, *message);
  }

  StreamId stream_ = 0;
  bool over_ = false;
};

// Members of the cluster that lie: see intruder.cc.
std::unique_ptr<Intruder> make_liar(const std::string& address, wire::GroupInfo info);
std::unique_ptr<Intruder> make_forger(const std::string& address, wire::GroupInfo info);
std::unique_ptr<Intruder> make_usurper(const std::string& address, wire::GroupInfo info);

}  // namespace ferry
