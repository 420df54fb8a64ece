#include "launch/serve/replies.h"

#include <cmath>

namespace ferry {

HttpReply reply_of(const ApiError& error) {
  HttpReply reply(body_of(error), error.status);
  if (error.retry_after_s)
    reply.fields.emplace_back("Retry-After", std::to_string(static_cast<int>(std::ceil(*error.retry_after_s))));
  return reply;
}

}  // namespace ferry
