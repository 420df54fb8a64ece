#include <gtest/gtest.h>

#include <optional>

#include "core/base/error.h"
#include "tests/parallel/mpi/ranks.h"

namespace ferry {

namespace {
std::optional<MpiSession> the_session;
}  // namespace

MpiSession& session() { return *the_session; }

std::string from_all_ranks(const std::string& wrong) {
  const auto group = session().split(0);
  const std::vector<std::string> parts = group->gather_bytes(wrong);
  std::string all;
  for (size_t rank = 0; rank < parts.size(); ++rank) {
    if (!parts[rank].empty()) all += str("rank ", rank, ": ", parts[rank], "\n");
  }
  group->broadcast(all, [] {});
  return all;
}

}  // namespace ferry

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  ferry::the_session.emplace();
  if (ferry::session().rank() != 0) {
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
  }
  const int failed = RUN_ALL_TESTS();
  ferry::the_session.reset();
  return failed;
}
