#include "launch/bench/stub_group.h"

#include <algorithm>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "launch/front/text_model.h"
#include "transport/control/grpc_control.h"

namespace ferry {

namespace {
constexpr Duration kPatience = std::chrono::milliseconds(20);  // until it looks whether it should end

int one_byte_token(const Tokenizer& tokenizer) {
  for (char c = 'a'; c <= 'z'; ++c) {
    const auto token = tokenizer.token_of(std::string(1, c));
    if (token && !tokenizer.is_control(*token)) return *token;
  }
  throw Error("this model's vocabulary has no token of one letter, which a stub needs");
}

}  // namespace

StubRules stub_rules(const std::string& model, Duration prefill, Duration step) {
  const ModelFile file(model);
  const TextModel text(file, "auto");
  return {.model_hash = file.hash,
          .max_context = file.config.max_context,
          .token = one_byte_token(text.tokenizer()),
          .prefill = prefill,
          .step = step};
}

StubGroup::StubGroup(const StubRules& rules, const std::string& router)
    : engine_(rules), thread_([this, router](const std::stop_token& stop) { run(stop, router); }) {}

StubGroup::~StubGroup() = default;

const StubEngine::Said& StubGroup::end() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  return engine_.said();
}

void StubGroup::run(const std::stop_token& stop, const std::string& router) {
  const auto control = make_grpc_control_client(router);
  std::optional<StreamId> stream;
  while (!stop.stop_requested() && !engine_.stopped()) {
    const Instant now = std::chrono::steady_clock::now();
    const Duration patience =
        stream ? std::clamp<Duration>(engine_.next() - now, Duration::zero(), kPatience) : kPatience;
    for (auto event = control->wait(patience); event; event = control->poll()) {
      if (const auto* opened = std::get_if<StreamOpened>(&*event)) {
        stream = opened->stream;
        engine_.joined();
      } else if (const auto* message = std::get_if<StreamMessage>(&*event)) {
        if (const auto m = unpack<wire::ToLeader>(message->bytes)) engine_.take(*m, std::chrono::steady_clock::now());
      } else {
        stream.reset();
        engine_.lost();
      }
    }
    if (!stream) continue;
    engine_.turn(std::chrono::steady_clock::now());
    for (const wire::ToRouter& m : engine_.take_messages()) control->send(*stream, pack(m));
  }
  ended_ = true;
}

}  // namespace ferry
