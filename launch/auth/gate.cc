#include "launch/auth/gate.h"

#include <fmt/format.h>

#include <utility>

#include "launch/auth/credentials.h"
#include "launch/io/metrics_text.h"

namespace ferry {

namespace {
constexpr double kRetryAfterS = 1;
}

Gate::Gate(const RouterConfig& config) : config_(config) {
  if (!config.keys.empty()) keys_.emplace(config.keys);
}

std::variant<Caller, ApiError> Gate::identify(std::string_view authorization) {
  if (!keys_) return Caller{};
  const std::string shown = key_in(authorization);
  if (shown.empty()) {
    return refused(Refusal::no_key, invalid_api_key("This server wants an API key: Authorization: Bearer KEY"));
  }
  const std::optional<ApiKey> key = keys_->find(shown);
  if (!key) return refused(Refusal::wrong_key, invalid_api_key("Incorrect API key provided"));
  return Caller{.key = key->name,
                .weight = key->weight,
                .max_streams = key->max_streams.value_or(config_.limits.streams_per_key),
                .max_queued = key->max_queued.value_or(config_.limits.queued_per_key),
                .admin = key->admin};
}

std::optional<ApiError> Gate::objection_to_admin(const Caller& caller, Origin origin) {
  if (keys_ ? caller.admin : origin == Origin::this_host) return std::nullopt;
  return refused(Refusal::not_admin,
                 not_allowed(keys_ ? "This is for keys that `ferry keys add --admin` made"
                                   : "Without router.keys, this is for programs on the router's host, asking it "
                                     "directly"));
}

std::variant<Gate::Place, ApiError> Gate::admit(const Caller& caller, int n_choices) {
  if (n_choices > caller.max_streams || n_choices > caller.max_queued) {
    return bad_request(fmt::format("{} choices are more than this key can ever have at a time, which is {}", n_choices,
                                   std::min(caller.max_streams, caller.max_queued)),
                       "n");
  }
  Use& use = uses_[caller.key];
  if (use.streams + n_choices > caller.max_streams) {
    return refused(Refusal::streams, rate_limited(fmt::format("This key has {} of {} choices at a time already",
                                                              use.streams, caller.max_streams),
                                                  kRetryAfterS));
  }
  if (use.queued + n_choices > caller.max_queued) {
    return refused(Refusal::queued, rate_limited(fmt::format("{} choices of this key wait already, of {} that may",
                                                             use.queued, caller.max_queued),
                                                 kRetryAfterS));
  }
  return std::variant<Place, ApiError>(std::in_place_type<Place>, use, n_choices);
}

ApiError Gate::refused(Refusal why, ApiError error) {
  ++n_refused_[static_cast<size_t>(why)];
  return error;
}

std::string Gate::metrics_text() const {
  constexpr std::string_view kNames[kRefusals] = {"no_key", "wrong_key", "streams", "queued", "not_admin"};
  MetricsText text;
  text.family("http_refused_total", "counter", "Requests that were not let in");
  for (size_t i = 0; i < kRefusals; ++i) text.value({{"why", kNames[i]}}, n_refused_[i]);
  if (!keys_) return text.take();
  text.family("key_choices", "gauge", "Choices of a key now");
  for (const auto& [name, use] : uses_) {
    text.value({{"key", name}, {"state", "waiting"}}, use.queued);
    text.value({{"key", name}, {"state", "begun"}}, use.streams - use.queued);
  }
  return text.take();
}

Gate::Place::Place(Use& use, int n_choices) : use_(&use), n_streams_(n_choices), n_queued_(n_choices) {
  use.streams += n_choices;
  use.queued += n_choices;
}

Gate::Place::Place(Place&& other) noexcept
    : use_(std::exchange(other.use_, nullptr)), n_streams_(other.n_streams_), n_queued_(other.n_queued_) {}

Gate::Place::~Place() {
  if (!use_) return;
  use_->streams -= n_streams_;
  use_->queued -= n_queued_;
}

void Gate::Place::one_began() {
  --n_queued_;
  --use_->queued;
}

}  // namespace ferry
