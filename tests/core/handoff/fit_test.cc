#include "core/handoff/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ferry {
namespace {

using testing::HasSubstr;
using testing::Optional;

struct Shape {
  int page_tokens = 16, head_dim = 64, n_layers = 4, n_heads = 3;
  KvDtype dtype = KvDtype::f32;
  uint64_t model = 5;
};

wire::GroupInfo group(const std::string& name, int tp, const Shape& s = {}) {
  wire::GroupInfo info = {.key = {name, 1}, .model_hash = s.model, .max_context = 100, .max_sequences = 4};
  for (int rank = 0; rank < tp; ++rank)
    info.layouts.emplace_back(Shard{.layers = {0, s.n_layers}, .heads = even_part(s.n_heads, tp, rank)}, s.page_tokens,
                              s.head_dim, s.dtype, 8);
  return info;
}

TEST(Fit, AnyDegreeFitsAnyOther) {
  for (int from : {1, 2, 3})
    for (int to : {1, 2, 3}) EXPECT_EQ(misfit(group("p", from), group("d", to)), std::nullopt);
}

TEST(Fit, ARefusalNamesTheFieldAndBothValues) {
  const auto why = [](const Shape& other) { return misfit(group("p", 2), group("d", 1, other)); };
  EXPECT_THAT(why({.page_tokens = 32}), Optional(std::string("kv.page_tokens is 16 in p and 32 in d")));
  EXPECT_THAT(why({.dtype = KvDtype::f16}), Optional(std::string("kv.dtype is f32 in p and f16 in d")));
  EXPECT_THAT(why({.head_dim = 128}), Optional(std::string("head_dim is 64 in p and 128 in d")));
  EXPECT_THAT(why({.n_heads = 4}), Optional(std::string("KV heads is 0…2 in p and 0…3 in d")));
  EXPECT_THAT(why({.n_layers = 5}), Optional(std::string("layers is 0…3 in p and 0…4 in d")));
  EXPECT_THAT(why({.model = 6}), Optional(std::string("model_hash is 5 in p and 6 in d")));
}

TEST(Fit, ALayoutThatCannotBeIsRefused) {
  EXPECT_EQ(nonsense_in(group("p", 2)), std::nullopt);
  wire::GroupInfo none = group("p", 2);
  none.layouts.clear();
  EXPECT_THAT(nonsense_in(none), Optional(HasSubstr("ranks")));
  for (const char* name : {"", "p 0", "p\n", "p\"}", "p\x1b[2J"})
    EXPECT_THAT(nonsense_in(group(name, 2)), Optional(HasSubstr("name")));
  wire::GroupInfo mixed = group("p", 1);
  mixed.layouts.push_back(group("p", 1, {.page_tokens = 8}).layouts[0]);
  EXPECT_THAT(nonsense_in(mixed), Optional(HasSubstr("one kind")));
  EXPECT_THAT(nonsense_in(group("p", 1, {.n_layers = 1 << 30})), Optional(HasSubstr("layers")));
}

}  // namespace
}  // namespace ferry
