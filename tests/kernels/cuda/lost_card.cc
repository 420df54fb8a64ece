// A card that is lost in mid-run: what says so, and what becomes of its group. The emulator loses it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/base/error.h"
#include "core/model/model.h"
#include "core/model/model_file.h"
#include "kernels/cpu/reference_ops.h"
#include "kernels/cuda/cuda_ops.h"
#include "kernels/cuda/host/emulator.h"
#include "parallel/cuda/card_communicator.h"
#include "parallel/cuda/staged_reducer.h"
#include "parallel/threads.h"
#include "tests/flow/tiny_file.h"
#include "tests/support/failure_of.h"

namespace ferry {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class LostCard : public testing::Test {
 protected:
  void TearDown() override { emulator::lose_card_after(-1); }
};

TEST_F(LostCard, EachCallOfTheRuntimeThatFailsIsNamed) {
  const auto ops = make_cuda_ops({});
  Device& device = ops->device();
  const DeviceArray<float> values(device, std::vector<float>{1, 2});
  float value = 0;
  emulator::lose_card_after(0);
  EXPECT_EQ(failure_of([&] { device.download(&value, values.data(), sizeof value); }),
            "CUDA: copying from the card failed: unspecified launch failure");
  EXPECT_EQ(failure_of([&] { device.upload(values.data(), &value, sizeof value); }),
            "CUDA: copying to the card failed: unspecified launch failure");
  EXPECT_THAT(failure_of([&] { device.allocate(8); }), StartsWith("CUDA: memory of the card"));
  const DeviceCopy copy = {.to = &value, .from = values.data(), .n_bytes = sizeof value};
  EXPECT_THAT(failure_of([&] { device.start_downloads({&copy, 1}); }), HasSubstr("a copy beside a step failed"));
}

// A rank and its part of a model, for one token after the other.
class Part {
 public:
  Part(const ModelFile& file, Ops& ops, Communicator& group)
      : slice_(tp_slices(file.tp_shape, group.size())[static_cast<size_t>(group.rank())]),
        layout_({.layers = {0, file.config.n_layers}, .heads = slice_.kv_heads}, 4, file.config.head_dim, KvDtype::f32,
                kPages),
        kv_(ops.device(), layout_.bytes()),
        model_({file.config, slice_, load_weights(file.tensors, file.config, slice_, ops)},
               {.max_rows = 4, .max_logit_rows = 1}, ops, group) {}

  void step() {
    Batch batch;
    batch.tokens = {5};
    batch.positions = {n_tokens_++};
    batch.row_begin.push_back(1);
    for (int page = 0; page < layout_.pages_for(n_tokens_); ++page) batch.pages.push_back(page);
    batch.page_begin.push_back(static_cast<int>(batch.pages.size()));
    batch.logit_rows = {0};
    model_.forward(batch, layout_, {kv_.data(), kv_.size()}, [](int) {});
  }

 private:
  static constexpr int kPages = 8;
  const TpSlice slice_;
  const KvLayout layout_;
  DeviceArray<std::byte> kv_;
  Model model_;
  int n_tokens_ = 0;
};

// Rank 0 computes on the card, the other on the CPU: both add up through the host.
TEST_F(LostCard, FailsItsWholeGroup) {
  const TinyFile file(TinyModel{});
  ThreadGroup group(2);
  std::string other_saw;
  const auto run = [&](Communicator& host) {
    const auto ops = host.rank() == 0 ? make_cuda_ops({}) : make_reference_ops();
    CardCommunicator::Parts parts{.peers = std::make_unique<PeerProcesses>(host), .reducers = {}};
    parts.reducers.push_back(std::make_unique<StagedReducer>(host, ops->device()));
    CardCommunicator cards(host, ops->device(), std::move(parts));
    Part part(*file, *ops, cards);
    part.step();
    if (host.rank() == 0) emulator::lose_card_after(9);
    try {
      for (int step = 0; step < 20; ++step) part.step();
    } catch (const Error& error) {
      if (host.rank() == 1) other_saw = error.what();
      throw;
    }
  };
  const std::string why = failure_of([&] { group.run(run); });
  EXPECT_THAT(why, StartsWith("CUDA: copying "));
  EXPECT_EQ(other_saw, "rank 0 failed: " + why);
}

}  // namespace
}  // namespace ferry
