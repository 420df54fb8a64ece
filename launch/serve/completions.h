#pragma once
// POST /v1/chat/completions and /v1/completions: from the body to the last byte of the answer, with the router between.

#include "launch/api/answer.h"
#include "launch/observe/spans.h"
#include "launch/serve/exchange.h"
#include "launch/serve/gateway.h"

namespace ferry {

struct CompletionSite {
  Gateway& gateway;
  const ApiRules& rules;
  Gate& gate;
  RequestLog& log;
  SpanFile& spans;
  asio::thread_pool& helpers;  // for long texts: others need not wait for their tokens
};

// A client that goes away cancels its requests.
asio::awaitable<void> complete(Endpoint endpoint, Exchange& exchange, CompletionSite site);

}  // namespace ferry
