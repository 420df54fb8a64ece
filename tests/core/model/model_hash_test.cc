#include <gtest/gtest.h>

#include <set>

#include "core/model/gguf.h"
#include "tests/support/tiny_model.h"

namespace ferry {
namespace {

uint64_t hash_from(const GgufContent& content) {
  const auto bytes = gguf_bytes(content);
  return model_hash(GgufFile("tiny", bytes));
}

TEST(ModelHash, IsThatOfTheContentWhateverTheFileIsCalled) {
  const auto bytes = gguf_bytes(tiny_model());
  EXPECT_EQ(model_hash(GgufFile("one", bytes)), model_hash(GgufFile("another", bytes)));
}

TEST(ModelHash, ChangesWithMetadataShapesAndTheDataOfAnyTensor) {
  GgufContent content = tiny_model();
  std::set<uint64_t> hashes = {hash_from(content)};
  content.set("general.name", "renamed");
  hashes.insert(hash_from(content));
  for (TensorContent& tensor : content.tensors) {
    tensor.data.front() ^= std::byte{1};
    hashes.insert(hash_from(content));
    tensor.data.back() ^= std::byte{1};
    hashes.insert(hash_from(content));
  }
  EXPECT_EQ(hashes.size(), 2 + 2 * content.tensors.size());
}

}  // namespace
}  // namespace ferry
