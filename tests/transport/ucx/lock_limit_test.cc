#include "transport/ucx/lock_limit.h"

#include <gtest/gtest.h>

#include <string>

#include "core/base/error.h"

namespace ferry {
namespace {

TEST(LockLimit, MemoryUpToTheLimitIsFine) {
  require_lockable(8 << 20, 8 << 20);
  require_lockable(size_t{1} << 40, std::nullopt);
}

TEST(LockLimit, MoreThanTheLimitIsAnErrorThatSaysWhatToDo) {
  try {
    require_lockable((8 << 20) + 1, 8 << 20);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("ulimit -l unlimited"), std::string::npos);
  }
}

}  // namespace
}  // namespace ferry
