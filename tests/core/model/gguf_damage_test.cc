// Model files that are not what they should be. tests/fuzz/gguf_fuzz.cc goes on from here.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "core/base/error.h"
#include "core/model/gguf_text.h"
#include "core/model/mapped_file.h"
#include "core/model/tensor_table.h"
#include "tests/support/demo_model.h"
#include "tests/support/gguf_exercise.h"
#include "tests/support/tiny_model.h"

namespace ferry {
namespace {

std::string error_of(std::span<const std::byte> bytes) {
  try {
    exercise(GgufFile("m.gguf", bytes));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}
std::string error_of(const GgufContent& content) { return error_of(gguf_bytes(content)); }

GgufContent small() {
  return tiny_model({.n_layers = 1,
                     .width = 32,
                     .n_heads = 2,
                     .n_kv_heads = 1,
                     .ffn_width = 32,
                     .n_vocab = 259,
                     .type = TensorType::q4_1,
                     .embedding_type = TensorType::q8_0});
}

// Where a whole number stands in every file.
constexpr size_t kVersionAt = 4, kTensorsAt = 8, kMetadataAt = 16, kFirstKeyAt = 24;

template <class T>
std::string error_with(size_t at, T value) {
  auto bytes = gguf_bytes(small());
  std::memcpy(&bytes[at], &value, sizeof value);
  return error_of(bytes);
}

template <class Change>
std::string error_after(Change change) {
  GgufContent content = small();
  change(content);
  return error_of(content);
}

TEST(GgufDamage, WhatIsNoReadableFileIsNamed) {
  const std::string folder = testing::TempDir();
  EXPECT_THAT([&] { GgufFile(folder + "no-such.gguf"); },
              testing::ThrowsMessage<Error>("cannot open " + folder + "no-such.gguf: No such file or directory"));
  EXPECT_THAT([&] { GgufFile file(folder); },
              testing::ThrowsMessage<Error>("cannot read " + folder + ": not a regular file"));
  const std::string empty = folder + "empty.gguf";
  std::ofstream(empty).close();
  EXPECT_THAT([&] { GgufFile file(empty); },
              testing::ThrowsMessage<Error>(empty + ": header: magic takes 4 bytes, but the file ends after 0"));
}

TEST(GgufDamage, WhatIsNoGgufOrNotOfAVersionThatFerryReadsIsNamed) {
  EXPECT_EQ(error_with(0, 0x0a4c4d58), "m.gguf: header: magic is 'XML\\x0a', not 'GGUF': this is no GGUF file");
  EXPECT_EQ(error_with(kVersionAt, 1), "m.gguf: header: version is 1, Ferry reads 2 and 3");
  EXPECT_EQ(error_with(kVersionAt, 3 << 24),
            "m.gguf: header: version is 50331648: the file is big-endian, Ferry reads little-endian");
}

TEST(GgufDamage, AbsurdCountsAreHeldAgainstTheFileBeforeAnythingIsAllocated) {
  const uint64_t huge = uint64_t{1} << 60;
  const auto start = "m.gguf: header: number of ";
  EXPECT_THAT(error_with(kTensorsAt, huge),
              testing::StartsWith(start + std::string("tensors is 1152921504606846976, but the ")));
  EXPECT_THAT(error_with(kMetadataAt, huge),
              testing::StartsWith(start + std::string("metadata is 1152921504606846976, but the ")));
  EXPECT_THAT(
      error_with(kFirstKeyAt, ~uint64_t{0}),
      testing::MatchesRegex("m.gguf: metadata 0 of [0-9]+: key takes 18446744073709551615 bytes, but the file ends "
                            "after [0-9]+"));
}

TEST(GgufDamage, AnAbsurdArrayIsHeldAgainstTheFileBeforeAnythingIsAllocated) {
  GgufContent content;
  content.set("list", std::vector<int32_t>{7});
  const auto list = gguf_bytes(content);
  const size_t type_at = kFirstKeyAt + 8 + 4, item_type_at = type_at + 4, count_at = item_type_at + 4;
  const auto error_in_list = [&](size_t at, auto value) {
    auto bytes = list;
    std::memcpy(&bytes[at], &value, sizeof value);
    return error_of(bytes);
  };
  EXPECT_EQ(error_in_list(count_at, uint64_t{1} << 62),
            "m.gguf: metadata 'list': number of items is 4611686018427387904, but the 12 bytes left hold at most 3");
  EXPECT_EQ(error_in_list(type_at, 13), "m.gguf: metadata 'list': type is 13, the last one known is 12");
  EXPECT_EQ(error_in_list(item_type_at, 9),
            "m.gguf: metadata 'list': type of the items is array, Ferry reads no arrays of arrays");
  EXPECT_EQ(error_in_list(item_type_at, 8), "m.gguf: metadata 'list': string takes 7 bytes, but the file ends after 4");
  EXPECT_EQ(error_in_list(item_type_at, 7), "m.gguf: metadata 'list': boolean is 7, not 0 or 1");
}

TEST(GgufDamage, MetadataThatContradictThemselvesAreNamed) {
  EXPECT_EQ(error_after([](GgufContent& c) { c.metadata.emplace_back("general.name", "again"); }),
            "m.gguf: metadata 'general.name': the key is there twice");
  for (const uint32_t alignment : {0u, 4u, 48u, 1u << 30}) {
    EXPECT_EQ(error_after([&](GgufContent& c) { c.set("general.alignment", alignment); }),
              str("m.gguf: metadata 'general.alignment': is ", alignment, ", not a power of two from 8 to 1048576"));
  }
  EXPECT_EQ(error_after([](GgufContent& c) { c.set("general.alignment", 32.0f); }),
            "m.gguf: metadata 'general.alignment': is of type float32, not uint32");
}

TEST(GgufDamage, AbsurdShapesAreNamed) {
  const auto error_for = [](std::vector<uint64_t> dims) {
    return error_after([&](GgufContent& c) { c.tensor("output_norm.weight").dims = std::move(dims); });
  };
  const std::string start = "m.gguf: tensor 'output_norm.weight': ";
  EXPECT_EQ(error_for(std::vector<uint64_t>(1000000, 1)), start + "has 1000000 dimensions, not 1 to 4");
  EXPECT_EQ(error_for({}), start + "has 0 dimensions, not 1 to 4");
  EXPECT_EQ(error_for({32, 0}), start + "dimension 1 is 0, not 1 to 2147483647");
  EXPECT_EQ(error_for({uint64_t{1} << 63}), start + "dimension 0 is 9223372036854775808, not 1 to 2147483647");
  EXPECT_EQ(error_for({32, 1 << 20, 1 << 20}), start + "has more than 2147483647 rows");
  EXPECT_THAT(error_for({2147483647, 2147483647}),
              testing::MatchesRegex(start + "is 2147483647 rows of 8589934588 bytes at offset [0-9]+, but the file has "
                                            "[0-9]+ bytes of data"));
  EXPECT_EQ(error_after([](GgufContent& c) {
              c.tensor("blk.0.attn_q.weight").dims = {40, 32};
            }),
            "m.gguf: tensor 'blk.0.attn_q.weight': rows of 40 values are no multiple of the 32 in a block of q4_1");
  EXPECT_EQ(error_after([](GgufContent& c) { c.tensor("blk.0.attn_q.weight").type = 10; }),
            "m.gguf: tensor 'blk.0.attn_q.weight': is of type 10, which Ferry does not read; convert it to one of f32, "
            "f16, bf16, q8_0, q4_0, q4_1, q5_0, q5_1, q4_k, q5_k, q6_k");
}

TEST(GgufDamage, TensorsThatLieWhereTheyCannotAreNamed) {
  const auto error_at = [](uint64_t offset) {
    return error_after([&](GgufContent& c) { c.tensor("blk.0.attn_k.weight").offset = offset; });
  };
  EXPECT_EQ(error_at(33), "m.gguf: tensor 'blk.0.attn_k.weight': offset 33 is no multiple of the alignment 32");
  EXPECT_THAT(error_at(uint64_t{1} << 63),
              testing::HasSubstr("'blk.0.attn_k.weight': is 16 rows of 20 bytes at offset 9223372036854775808, but"));
  EXPECT_EQ(error_at(64),
            "m.gguf: tensor 'blk.0.attn_k.weight': overlaps 'token_embd.weight': begins at 64, that one "
            "ends at 8806");
  EXPECT_EQ(error_after([](GgufContent& c) { c.tensor("blk.0.attn_k.weight").name = "output_norm.weight"; }),
            "m.gguf: tensor 'output_norm.weight': the name is there twice");
}

TEST(GgufDamage, ANameThatDoesNotPrintStaysOnTheLineOfTheMessage) {
  EXPECT_EQ(error_after([](GgufContent& c) {
              c.tensor("output_norm.weight").name = "two\nlines\x1b[2J" + std::string(100, 'x');
            }),
            "m.gguf: tensor 'output_norm.weight': is missing, must be [32]");
  EXPECT_EQ(error_after([](GgufContent& c) {
              c.tensors.push_back(c.tensor("output_norm.weight")),
                  c.tensors.back().name = "two\nlines" + std::string(100, 'x');
            }),
            "m.gguf: tensor 'two\\x0alines" + std::string(71, 'x') +
                "…': is none that Ferry uses in a model of family llama with 1 layers");
}

// Reads a damaged file; what it may do is what the fuzzer checks too.
void expect_used_or_refused(std::span<const std::byte> bytes) {
  try {
    exercise(GgufFile("m.gguf", bytes));
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("m.gguf: "));
    EXPECT_THAT(error.what(), testing::Not(testing::HasSubstr("\n")));
  }
}

TEST(GgufDamage, AFileCutAnywhereIsRefused) {
  const auto whole = gguf_bytes(small());
  const size_t last_tensor = whole.size() - 32;  // what follows may be padding
  for (size_t size = 0; size < last_tensor; size += size < 2000 ? 1 : 7) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THAT(error_of(cut), testing::StartsWith("m.gguf: ")) << "cut after " << size;
  }
}

TEST(GgufDamage, FlippedBitsAreRefusedOrGiveAFileThatCanBeUsed) {
  constexpr uint64_t kSeed = 20;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  const auto whole = gguf_bytes(small());
  const size_t header = GgufFile("m.gguf", whole).header_bytes().size();
  for (int round = 0; round < 3000; ++round) {
    auto damaged = whole;
    for (int flips = 1 + round % 4; flips > 0; --flips) damaged[random() % header] ^= std::byte(1 << random() % 8);
    expect_used_or_refused(damaged);
  }
}

TEST(GgufDamage, TheDemoModelCutOrFlippedIsRefusedOrCanBeUsed) {
  FERRY_DEMO_MODEL_OR_SKIP(path);
  constexpr uint64_t kSeed = 21;
  std::cout << "seed " << kSeed << "\n";
  std::mt19937_64 random(kSeed);
  const MappedFile map(path);
  const size_t n_header = GgufFile(path).header_bytes().size();
  for (int round = 0; round < 50; ++round) {
    EXPECT_THAT(error_of(map.bytes().first(random() % n_header)), testing::StartsWith("m.gguf: "));
  }
  EXPECT_THAT(error_of(map.bytes().first(map.bytes().size() / 2)), testing::HasSubstr("bytes of data"));
  std::vector<std::byte> damaged(map.bytes().begin(), map.bytes().end());
  for (int round = 0; round < 100; ++round) {
    const size_t at = round % 2 == 0 ? random() % 2000 : random() % n_header;  // most of the header is vocabulary
    const std::byte before = damaged[at];
    damaged[at] ^= std::byte(1 << random() % 8);
    try {
      const GgufFile file("m.gguf", damaged);
      tensors_of(file, config_of(file));
      tokenizer_data_of(file);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("m.gguf: "));
    }
    damaged[at] = before;
  }
}

TEST(GgufDamage, TheFuzzersSeedsAreWhatTheirNamesSay) {
  int n_seeds = 0;
  for (const auto& seed : std::filesystem::directory_iterator(FERRY_SOURCE_DIR "/tests/fuzz/corpus/gguf_fuzz")) {
    const std::string name = seed.path().filename();
    SCOPED_TRACE(name);
    const std::string error = error_of(MappedFile(seed.path()).bytes());
    EXPECT_THAT(error, testing::StartsWith(name.starts_with("whole-") ? "no error" : "m.gguf: "));
    ++n_seeds;
  }
  EXPECT_GE(n_seeds, 10);
}

}  // namespace
}  // namespace ferry
