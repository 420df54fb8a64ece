#include "launch/bench/model_bench.h"

#include <gtest/gtest.h>

#include "kernels/cpu/reference_ops.h"
#include "parallel/threads.h"
#include "tests/flow/tiny_file.h"

namespace ferry {
namespace {

TEST(ModelBench, RunsStepsAsAGroupDoesAndSaysNothingOfTheHostWhereThatIsTheDevice) {
  const TinyFile file;
  ThreadGroup group(2);
  group.run([&](Communicator& rank) {
    const auto ops = make_reference_ops();
    ModelBench bench(*file, {.max_sequences = 3, .max_tokens = 24, .max_rows = 16}, *ops, rank);
    EXPECT_GT(bench.prefill(20), 0);
    const ModelBench::DecodeStep step = bench.decode(3, 20, 4);
    EXPECT_GT(step.seconds, 0);
    EXPECT_FALSE(step.host_seconds.has_value());
    EXPECT_EQ(bench.next_cached({5, 6, 7}, 0).token, bench.next_recomputed({5, 6, 7}).token);
  });
}

}  // namespace
}  // namespace ferry
