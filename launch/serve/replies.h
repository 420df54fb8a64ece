#pragma once
// Whole answers that several parts of serving give.

#include "launch/api/api_error.h"
#include "launch/serve/exchange.h"

namespace ferry {

HttpReply reply_of(const ApiError& error);

}  // namespace ferry
