#include "tests/support/gguf_writer.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <span>
#include <stdexcept>

#include "core/model/gguf.h"

namespace ferry {
namespace {

template <class T>
constexpr GgufType kGgufType = GgufType::string;
template <>
constexpr GgufType kGgufType<uint8_t> = GgufType::uint8;
template <>
constexpr GgufType kGgufType<int8_t> = GgufType::int8;
template <>
constexpr GgufType kGgufType<uint16_t> = GgufType::uint16;
template <>
constexpr GgufType kGgufType<int16_t> = GgufType::int16;
template <>
constexpr GgufType kGgufType<uint32_t> = GgufType::uint32;
template <>
constexpr GgufType kGgufType<int32_t> = GgufType::int32;
template <>
constexpr GgufType kGgufType<uint64_t> = GgufType::uint64;
template <>
constexpr GgufType kGgufType<int64_t> = GgufType::int64;
template <>
constexpr GgufType kGgufType<float> = GgufType::float32;
template <>
constexpr GgufType kGgufType<double> = GgufType::float64;
template <>
constexpr GgufType kGgufType<bool> = GgufType::boolean;

class Bytes {
 public:
  template <class T>
  void number(T value) {
    append(std::as_bytes(std::span(&value, 1)));
  }
  void text(const std::string& text) {
    number(uint64_t{text.size()});
    append(std::as_bytes(std::span(text)));
  }
  void append(std::span<const std::byte> more) { std::ranges::copy(more, std::back_inserter(bytes_)); }
  void pad(size_t alignment) { bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment); }
  std::vector<std::byte> take() { return std::move(bytes_); }

  template <class T>
  void value(const T& value) {
    number(kGgufType<T>);
    item(value);
  }
  template <class T>
  void value(const std::vector<T>& items) {
    number(GgufType::array);
    number(kGgufType<T>);
    number(uint64_t{items.size()});
    for (const T& one : items) item(one);
  }

 private:
  template <class T>
  void item(const T& value) {
    number(value);
  }
  void item(const std::string& value) { text(value); }

  std::vector<std::byte> bytes_;
};

void write_tensor_infos(Bytes& out, const GgufContent& content) {
  uint64_t next = 0;
  for (const TensorContent& tensor : content.tensors) {
    out.text(tensor.name);
    out.number(static_cast<uint32_t>(tensor.dims.size()));
    for (const uint64_t size : tensor.dims) out.number(size);
    out.number(tensor.type);
    out.number(tensor.offset.value_or(next));
    next += (tensor.data.size() + content.alignment - 1) / content.alignment * content.alignment;
  }
}

}  // namespace

void GgufContent::set(const std::string& key, MetadataContent value) {
  const auto found = std::ranges::find(metadata, key, [](const auto& pair) { return pair.first; });
  if (found == metadata.end()) {
    metadata.emplace_back(key, std::move(value));
  } else {
    found->second = std::move(value);
  }
}

void GgufContent::remove(const std::string& key) {
  std::erase_if(metadata, [&](const auto& pair) { return pair.first == key; });
}

TensorContent& GgufContent::tensor(const std::string& name) {
  const auto found = std::ranges::find(tensors, name, &TensorContent::name);
  if (found == tensors.end()) throw std::logic_error("the test has no tensor " + name);
  return *found;
}

std::vector<std::byte> gguf_bytes(const GgufContent& content) {
  Bytes out;
  out.append(std::as_bytes(std::span("GGUF", 4)));
  out.number(content.version);
  out.number(uint64_t{content.tensors.size()});
  out.number(uint64_t{content.metadata.size()});
  for (const auto& [key, value] : content.metadata) {
    out.text(key);
    std::visit([&](const auto& held) { out.value(held); }, value);
  }
  write_tensor_infos(out, content);
  out.pad(content.alignment);
  for (const TensorContent& tensor : content.tensors) {
    out.append(tensor.data);
    out.pad(content.alignment);
  }
  return out.take();
}

void write_gguf(const GgufContent& content, const std::string& path) {
  const std::vector<std::byte> bytes = gguf_bytes(content);
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!file.flush()) throw std::runtime_error("cannot write " + path);
}

}  // namespace ferry
