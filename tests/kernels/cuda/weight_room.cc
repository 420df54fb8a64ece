// What preparing a weight takes of a card's memory while it lasts.

#include <memory>

#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/host/emulator.h"
#include "tests/kernels/file_matrix.h"

namespace ferry {
namespace {

TEST(WeightRoom, AWeightThatIsMadeBf16TakesHalfTheScratchMemoryMoreUntilItIsThere) {
  constexpr size_t kScratchBytes = size_t{64} << 10;
  const auto ops = make_cuda_ops({.weights = Weights::bf16, .product_scratch_bytes = kScratchBytes});
  Random random(1);
  const FileMatrix plain(TensorType::bf16, 400, 512, random), quantized(TensorType::q8_0, 400, 512, random);
  const auto first = ops->prepare(plain.all());  // with the scratch memory that products of this shape want

  emulator::most_taken_bytes();
  const size_t before = emulator::most_taken_bytes();
  const auto weight = ops->prepare(quantized.all());
  const size_t most = emulator::most_taken_bytes();
  const size_t after = emulator::most_taken_bytes();
  EXPECT_EQ(after, before + weight->bytes()) << "nothing else is left";
  EXPECT_GT(most, after);
  EXPECT_LE(most, after + kScratchBytes / 2);
}

}  // namespace
}  // namespace ferry
