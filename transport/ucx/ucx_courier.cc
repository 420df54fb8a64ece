#include "transport/ucx/ucx_courier.h"

#include <algorithm>
#include <string>

#include "core/base/error.h"

namespace ferry {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLookInterval{100};  // whether processes have ended

const UcxInbox::Handlers kNobodyListens{
    .message = [](const std::string&) {}, .greeting = [](const UcxGreeting&) {}, .refused = [] {}};

}  // namespace

milliseconds ucx_pause_after(int n) {
  constexpr milliseconds kFirstPause{500};
  constexpr int kMostDoublings = 6;
  return kFirstPause * (1 << std::min(n, kMostDoublings));
}

UcxCourier::Worker::Worker(ucp_context_h context, UcxRequests& requests)
    : worker(open_ucx_worker(context)), inbox(worker.get(), requests, 0, kNobodyListens) {}

void UcxCourier::deliver(const UcxAddress& to, const UcxGreeting& greeting) {
  const auto is_this = [&](const Delivery& d) { return !d.over && d.to == to && d.greeting == greeting; };
  if (std::ranges::any_of(deliveries_, is_this)) return;
  deliveries_.push_back({.to = to, .greeting = greeting});
}

void UcxCourier::withdraw(const UcxGreeting& greeting) {
  for (Delivery& delivery : deliveries_) delivery.over |= delivery.greeting == greeting;
}

void UcxCourier::progress() {
  if (deliveries_.empty()) return;
  if (worker_) ucp_worker_progress(worker_->worker.get());
  const Time now = std::chrono::steady_clock::now();
  const bool look = now >= next_look_;
  if (look) next_look_ = now + kLookInterval;
  std::erase_if(deliveries_, [&](Delivery& delivery) { return is_done(delivery, now, look); });
  if (deliveries_.empty()) worker_.reset();
}

bool UcxCourier::is_done(Delivery& delivery, Time now, bool look) {
  if (look && has_ended(delivery.to.process)) {
    delivery.over = true;
    if (delivery.endpoint) delivery.endpoint->fail("its process has ended");
  }
  if (!delivery.endpoint) {
    if (!delivery.over && now >= delivery.next) attempt(delivery, now);
    return delivery.over;
  }
  if (delivery.over) delivery.endpoint->close({});
  if (delivery.endpoint->usable() || !delivery.endpoint->finish_close()) return false;
  delivery.endpoint.reset();
  return delivery.over;
}

void UcxCourier::attempt(Delivery& delivery, Time now) {
  delivery.next = now + ucx_pause_after(delivery.n_attempts++);
  try {
    if (!worker_) worker_.emplace(context_, requests_);
  } catch (const Error&) {
    return;  // no descriptors left, for example: later
  }
  delivery.endpoint =
      std::make_unique<UcxEndpoint>(worker_->worker.get(), requests_, delivery.to, [](const std::string&) {});
  delivery.endpoint->greet(delivery.greeting, [&delivery] { delivery.over = true; });
}

}  // namespace ferry
