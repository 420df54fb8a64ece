#pragma once
// What an Error says that something throws, for tests of messages.

#include <functional>
#include <string>

#include "core/base/error.h"

namespace ferry {

inline std::string failure_of(const std::function<void()>& body) {  // empty where nothing is thrown
  try {
    body();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace ferry
