#include "core/model/gguf.h"

#include <algorithm>
#include <array>
#include <concepts>
#include <cstring>
#include <limits>
#include <utility>

#include "core/base/error.h"
#include "core/base/hash.h"
#include "core/base/quoted.h"
#include "core/model/gguf_reader.h"

namespace ferry {
namespace {

// Values packed one after the other, all of one type; the reader made sure that they are there.
class Items {
 public:
  Items(GgufType type, std::span<const std::byte> bytes) : type_(type), rest_(bytes) {}

  void read(int64_t& out) {
    switch (type_) {
      case GgufType::uint8:
        return read_as<uint8_t>(out);
      case GgufType::int8:
        return read_as<int8_t>(out);
      case GgufType::uint16:
        return read_as<uint16_t>(out);
      case GgufType::int16:
        return read_as<int16_t>(out);
      case GgufType::uint32:
        return read_as<uint32_t>(out);
      case GgufType::int32:
        return read_as<int32_t>(out);
      default:
        return read_as<int64_t>(out);
    }
  }
  void read(double& out) { type_ == GgufType::float32 ? read_as<float>(out) : read_as<double>(out); }
  void read(bool& out) { read_as<uint8_t>(out); }
  void read(std::string_view& out) {
    uint64_t length = 0;
    read_as<uint64_t>(length);
    out = {reinterpret_cast<const char*>(rest_.data()), length};
    rest_ = rest_.subspan(length);
  }

 private:
  template <class Stored, class T>
  void read_as(T& out) {
    Stored stored{};
    std::memcpy(&stored, rest_.data(), sizeof stored);
    rest_ = rest_.subspan(sizeof stored);
    out = static_cast<T>(stored);  // NOLINT(bugprone-signed-char-misuse): signed bytes of a file are numbers
  }

  GgufType type_;
  std::span<const std::byte> rest_;
};

bool holds(int64_t, GgufType type) {
  return type != GgufType::float32 && type != GgufType::float64 && type != GgufType::boolean &&
         type != GgufType::string && type != GgufType::array;
}
bool holds(double, GgufType type) { return type == GgufType::float32 || type == GgufType::float64; }
bool holds(bool, GgufType type) { return type == GgufType::boolean; }
bool holds(std::string_view, GgufType type) { return type == GgufType::string; }

std::string_view kind_of(int64_t) { return "integer"; }
std::string_view kind_of(double) { return "float"; }
std::string_view kind_of(bool) { return "boolean"; }
std::string_view kind_of(std::string_view) { return "string"; }

template <class T>
bool read(const GgufValue& value, T& out) {
  if (!holds(T{}, value.type)) return false;
  Items(value.type, value.bytes).read(out);
  return true;
}
template <class T>
bool read(const GgufValue& value, std::vector<T>& out) {
  if (value.type != GgufType::array || !holds(T{}, value.item_type)) return false;
  out.resize(value.n_items);
  Items items(value.item_type, value.bytes);
  for (T& item : out) items.read(item);
  return true;
}

template <class T>
std::string wanted(const T& kind) {
  return std::string(kind_of(kind));
}
template <class T>
std::string wanted(const std::vector<T>&) {
  return str("array of ", kind_of(T{}), "s");
}

std::string type_name_of(const GgufValue& value) {
  if (value.type != GgufType::array) return std::string(name_of(value.type));
  return str("array of ", name_of(value.item_type));
}

}  // namespace

std::string_view name_of(GgufType type) {
  constexpr std::array<std::string_view, 13> kNames = {"uint8",  "int8",    "uint16",  "int16",  "uint32",
                                                       "int32",  "float32", "boolean", "string", "array",
                                                       "uint64", "int64",   "float64"};
  return kNames.at(static_cast<size_t>(type));
}

GgufFile::GgufFile(const std::string& path)
    : name_(path), map_(path), bytes_(map_->bytes()), header_(read_gguf_header(name_, bytes_)) {}

GgufFile::GgufFile(std::string name, std::span<const std::byte> bytes)
    : name_(std::move(name)), bytes_(bytes), header_(read_gguf_header(name_, bytes_)) {}

template <class T>
std::optional<T> GgufFile::find(std::string_view key) const {
  const auto found = header_.metadata.find(key);
  if (found == header_.metadata.end()) return std::nullopt;
  T out{};
  if (read(found->second, out)) return out;
  throw Error(
      str(name_, ": metadata ", quoted(key), ": is of type ", type_name_of(found->second), ", not ", wanted(T{})));
}

template <class T>
T GgufFile::value(std::string_view key) const {
  if (auto found = find<T>(key)) return *std::move(found);
  throw Error(str(name_, ": metadata ", quoted(key), ": is missing, must be of type ", wanted(T{})));
}

template std::optional<int64_t> GgufFile::find(std::string_view) const;
template std::optional<double> GgufFile::find(std::string_view) const;
template std::optional<bool> GgufFile::find(std::string_view) const;
template std::optional<std::string_view> GgufFile::find(std::string_view) const;
template std::optional<std::vector<int64_t>> GgufFile::find(std::string_view) const;
template std::optional<std::vector<double>> GgufFile::find(std::string_view) const;
template std::optional<std::vector<std::string_view>> GgufFile::find(std::string_view) const;
template int64_t GgufFile::value(std::string_view) const;
template double GgufFile::value(std::string_view) const;
template bool GgufFile::value(std::string_view) const;
template std::string_view GgufFile::value(std::string_view) const;
template std::vector<int64_t> GgufFile::value(std::string_view) const;
template std::vector<double> GgufFile::value(std::string_view) const;
template std::vector<std::string_view> GgufFile::value(std::string_view) const;

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto found = header_.tensor_index.find(name);
  return found == header_.tensor_index.end() ? nullptr : &header_.tensors[found->second];
}

}  // namespace ferry
