#include "transport/ucx/ucx_endpoint.h"

#include <gtest/gtest.h>

#include "tests/transport/link_testing.h"
#include "transport/ucx/ucx_link.h"
#include "transport/ucx/ucx_settings.h"

namespace ferry {
namespace {

// The link under test cannot send a message that is too large, so one from elsewhere does.
TEST(UcxEndpoint, AMessageThatIsTooLargeIsDroppedByItsReceiver) {
  const UcxOptions options{.transport = UcxOptions::Transport::shm, .memory_bytes = 4096};
  Observed link{make_ucx_link(options)};
  const UcxContext context = open_ucx_context(ucx_settings(options));
  UcxRequests requests;
  const UcxWorker worker = open_ucx_worker(context.get());
  UcxEndpoint sender(worker.get(), requests, ucx_address_of(link.address()), [](const std::string&) {});
  sender.send(std::string(KvLink::kMaxMessage + 1, 'x'));
  sender.send("next");
  const auto done = [&] {
    ucp_worker_progress(worker.get());
    return link->counters().messages_refused == 1 && !link.received.empty();
  };
  EXPECT_TRUE(until(done, {&link}));
  EXPECT_EQ(link.received, std::vector<std::string>{"next"});
  sender.close({});
  const auto closed = [&] {
    ucp_worker_progress(worker.get());
    return sender.finish_close();
  };
  EXPECT_TRUE(until(closed, {&link}));
  sender.forget_key();
}

}  // namespace
}  // namespace ferry
