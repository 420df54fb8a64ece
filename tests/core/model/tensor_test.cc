#include "core/model/tensor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <random>
#include <sstream>

namespace ferry {
namespace {

std::vector<std::byte> bytes_of_hex(const std::string& hex) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes.push_back(std::byte(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return bytes;
}

struct KnownBlock {
  std::string type;
  std::vector<std::byte> bytes;
  std::vector<float> values;
};

// Blocks and values from another implementation of the formats: see make_quant_blocks.py.
std::vector<KnownBlock> known_blocks() {
  std::ifstream file(FERRY_SOURCE_DIR "/tests/data/quant_blocks.txt");
  std::vector<KnownBlock> blocks;
  std::string type, block, values;
  while (file >> type >> block >> values) {
    KnownBlock& known = blocks.emplace_back(KnownBlock{type, bytes_of_hex(block), {}});
    const auto raw = bytes_of_hex(values);
    known.values.resize(raw.size() / sizeof(float));
    std::memcpy(known.values.data(), raw.data(), raw.size());
  }
  return blocks;
}

constexpr TensorType kAllTypes[] = {TensorType::f32,  TensorType::f16,  TensorType::bf16, TensorType::q8_0,
                                    TensorType::q4_0, TensorType::q4_1, TensorType::q5_0, TensorType::q5_1,
                                    TensorType::q4_k, TensorType::q5_k, TensorType::q6_k};

// A matrix of random bytes whose values are all finite.
struct RandomMatrix {
  RandomMatrix(TensorType type, int n_rows, int n_blocks) {
    const TensorFormat& format = format_of(type);
    view = {.type = type,
            .n_rows = n_rows,
            .n_cols = n_blocks * format.block_values,
            .row_bytes = static_cast<size_t>(n_blocks * format.block_bytes)};
    bytes.resize(static_cast<size_t>(n_rows) * view.row_bytes);
    std::mt19937 random(11);
    for (std::byte& b : bytes) b = std::byte(random() & 0x3b);  // no exponent of only ones
    view.data = bytes.data();
  }
  std::vector<std::byte> bytes;
  MatrixView view;
};

TEST(Tensor, EveryFormatIsReadAsAnotherImplementationReadsIt) {
  std::vector<std::string> seen;
  for (const KnownBlock& known : known_blocks()) {
    SCOPED_TRACE(known.type);
    seen.push_back(known.type);
    const TensorFormat* format = nullptr;
    for (const TensorType type : kAllTypes) {
      if (format_of(type).name == known.type) format = &format_of(type);
    }
    ASSERT_NE(format, nullptr);
    ASSERT_EQ(static_cast<int>(known.bytes.size()), format->block_bytes);
    ASSERT_EQ(static_cast<int>(known.values.size()), format->block_values);
    std::vector<float> out(known.values.size());
    dequantize(format->type, known.bytes.data(), out);
    EXPECT_EQ(out, known.values);
  }
  EXPECT_THAT(seen, testing::SizeIs(2 * std::size(kAllTypes)));
}

TEST(Tensor, ABlockOfFourBitsWithMinimumIsWhatItsDefinitionSays) {
  std::vector<std::byte> block(20, std::byte{0x71});       // low value 1, high value 7
  block[0] = std::byte{0x00}, block[1] = std::byte{0x38};  // scale 0.5
  block[2] = std::byte{0x00}, block[3] = std::byte{0xc0};  // minimum -2
  std::vector<float> out(32);
  dequantize(TensorType::q4_1, block.data(), out);
  for (size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(out[i], -1.5f);
    EXPECT_EQ(out[16 + i], 1.5f);
  }
}

TEST(Tensor, TheNumbersOfTheFormatAreKnownAndOthersAreNot) {
  for (const TensorType type : kAllTypes) {
    ASSERT_TRUE(format_of(static_cast<uint32_t>(type)).has_value());
    EXPECT_EQ(format_of(static_cast<uint32_t>(type))->type, type);
  }
  for (const uint32_t unknown : {4u, 5u, 9u, 10u, 31u, 1u << 31}) EXPECT_FALSE(format_of(unknown).has_value());
}

TEST(Tensor, ARowOfASliceIsThatPartOfTheWholeRowWhereverItStartsAndEnds) {
  for (const TensorType type : kAllTypes) {
    SCOPED_TRACE(format_of(type).name);
    const RandomMatrix matrix(type, 3, 4);
    const int n_cols = matrix.view.n_cols, block = format_of(type).block_values;
    std::vector<float> whole(static_cast<size_t>(n_cols));
    dequantize_row({matrix.view, 0, 3, 0, n_cols}, 2, whole);
    for (const int begin : {0, 1, block - 1, block, block + block / 2, n_cols - 1, n_cols}) {
      for (const int end : {begin, begin + 1, block, 2 * block, 2 * block + 1, n_cols - 1, n_cols}) {
        if (begin < 0 || end < begin || end > n_cols) continue;
        const MatrixSlice slice{matrix.view, 1, 3, begin, end};
        std::vector<float> row(static_cast<size_t>(end - begin));
        dequantize_row(slice, 1, row);
        EXPECT_EQ(row, std::vector<float>(whole.begin() + begin, whole.begin() + end)) << begin << " to " << end;
      }
    }
  }
}

TEST(Tensor, ASliceOfWholeBlocksPointsAtThem) {
  const RandomMatrix matrix(TensorType::q4_k, 5, 3);
  const MatrixSlice slice{matrix.view, 2, 5, 256, 768};
  ASSERT_TRUE(slice.has_whole_blocks());
  EXPECT_EQ(slice.row_blocks(1), matrix.view.data + 3 * 3 * 144 + 144);
  EXPECT_FALSE((MatrixSlice{matrix.view, 2, 5, 255, 768}).has_whole_blocks());
  EXPECT_FALSE((MatrixSlice{matrix.view, 2, 5, 256, 767}).has_whole_blocks());
}

}  // namespace
}  // namespace ferry
