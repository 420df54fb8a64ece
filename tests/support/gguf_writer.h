#pragma once
// GGUF files for tests: a content that a test can change at will (also to what no honest file holds), and its bytes.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/model/tensor.h"

namespace ferry {

using MetadataContent =
    std::variant<uint8_t, int8_t, uint16_t, int16_t, uint32_t, int32_t, uint64_t, int64_t, float, double, bool,
                 std::string, std::vector<int32_t>, std::vector<float>, std::vector<std::string>>;

struct TensorContent {
  std::string name;
  std::vector<uint64_t> dims = {};  // the first varies fastest
  uint32_t type = 0;                // as in the file: TensorType, or what is none
  std::vector<std::byte> data = {};
  std::optional<uint64_t> offset = std::nullopt;  // instead of the place where the data are written
};

struct GgufContent {
  uint32_t version = 3;
  uint32_t alignment = 32;
  std::vector<std::pair<std::string, MetadataContent>> metadata;
  std::vector<TensorContent> tensors;

  void set(const std::string& key, MetadataContent value);  // adds or replaces
  void remove(const std::string& key);
  TensorContent& tensor(const std::string& name);  // must be there
};

std::vector<std::byte> gguf_bytes(const GgufContent& content);
void write_gguf(const GgufContent& content, const std::string& path);

}  // namespace ferry
