#pragma once
// A GGUF model file (versions 2 and 3): typed metadata and tensors by name. The file is mapped, not read; everything
// handed out is a view that the GgufFile must outlive. Every count, length, offset and alignment is checked when the
// file is opened, before anything is allocated by it: a file that opened can be used without another look.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/mapped_file.h"
#include "core/model/tensor.h"

namespace ferry {

enum class GgufType : uint32_t {
  uint8 = 0,
  int8 = 1,
  uint16 = 2,
  int16 = 3,
  uint32 = 4,
  int32 = 5,
  float32 = 6,
  boolean = 7,
  string = 8,
  array = 9,
  uint64 = 10,
  int64 = 11,
  float64 = 12,
};

// A metadata value where it lies in the file.
struct GgufValue {
  GgufType type = GgufType::uint8;
  GgufType item_type = GgufType::uint8;  // of an array; otherwise the type itself
  size_t n_items = 1;                    // of an array
  std::span<const std::byte> bytes;      // the items, packed; a string is a 64-bit length and its bytes
};

std::string_view name_of(GgufType type);  // "uint8", "string", …

struct GgufTensor {
  std::string_view name;
  std::vector<int64_t> dims;  // as in the file: the first varies fastest
  MatrixView matrix;          // [product of the other dims, dims[0]]
  size_t n_bytes() const { return static_cast<size_t>(matrix.n_rows) * matrix.row_bytes; }
};

struct GgufHeader {
  uint32_t version = 0;
  std::map<std::string_view, GgufValue> metadata;
  std::vector<GgufTensor> tensors;                  // in the order of the file
  std::map<std::string_view, size_t> tensor_index;  // by name, into `tensors`
  size_t data_begin = 0;                            // where metadata and tensor descriptions end, aligned
};

class GgufFile {
 public:
  // Error (one line: the file, the field, what it holds and what it may) when this is not a whole, sane GGUF file.
  explicit GgufFile(const std::string& path);
  // The same over bytes that the caller keeps; `name` stands for the path in messages.
  GgufFile(std::string name, std::span<const std::byte> bytes);

  const std::string& name() const { return name_; }

  // T is one of int64_t (any integer type), double, bool, std::string_view, or a vector of int64_t, double or
  // std::string_view. nullopt: there is no such key. Error: the value has another type. A uint64 beyond int64 comes out
  // negative, which no count or id accepts.
  template <class T>
  std::optional<T> find(std::string_view key) const;
  // The same where the file cannot do without it: Error when there is no such key.
  template <class T>
  T value(std::string_view key) const;

  const GgufTensor* find_tensor(std::string_view name) const;  // nullptr: there is none
  const std::vector<GgufTensor>& tensors() const { return header_.tensors; }

  // Everything before the tensors' data.
  std::span<const std::byte> header_bytes() const { return bytes_.first(header_.data_begin); }

 private:
  std::string name_;
  std::optional<MappedFile> map_;
  std::span<const std::byte> bytes_;
  GgufHeader header_;
};

// Identity of a model's content, cheap enough for every start: all of the header and samples of every tensor's data.
uint64_t model_hash(const GgufFile& file);

}  // namespace ferry
