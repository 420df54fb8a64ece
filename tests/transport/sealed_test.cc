#include "transport/sealed.h"

#include <gtest/gtest.h>

namespace ferry {
namespace {

TEST(Sealed, OpensOnlyAsWhatItWasSealed) {
  const std::string bytes = sealed("letter", "dear you");
  EXPECT_EQ(unsealed("letter", bytes), "dear you");
  EXPECT_EQ(unsealed("invoice", bytes), std::nullopt);
  EXPECT_EQ(unsealed("letter", sealed("letter", "")), "");
}

TEST(Sealed, DoesNotOpenWhenAnyBitIsChangedOrAnyByteIsMissing) {
  const std::string bytes = sealed("letter", "dear you");
  for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(unsealed("letter", changed), std::nullopt) << "bit " << bit;
  }
  for (size_t n = 0; n < bytes.size(); ++n) EXPECT_EQ(unsealed("letter", bytes.substr(0, n)), std::nullopt);
}

}  // namespace
}  // namespace ferry
