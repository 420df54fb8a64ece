#include "core/model/gguf_reader.h"

#include <algorithm>
#include <bit>
#include <climits>
#include <cstring>
#include <functional>
#include <numeric>

#include "core/base/error.h"
#include "core/base/quoted.h"

namespace ferry {
namespace {

constexpr int kMaxDims = 4;
constexpr uint64_t kDefaultAlignment = 32;
constexpr uint64_t kMinAlignment = 8;  // the format's; with it, values of any tensor type lie aligned in the map
constexpr uint64_t kMaxAlignment = 1 << 20;
// The least bytes that one of these takes: what is left of the file bounds every count before anything is allocated.
constexpr size_t kMinMetadataBytes = 8 + 4 + 1;        // empty key, type, one byte
constexpr size_t kMinTensorBytes = 8 + 4 + 8 + 4 + 8;  // empty name, one dimension

size_t bytes_of(GgufType type) {  // a string takes at least its length
  switch (type) {
    case GgufType::uint8:
    case GgufType::int8:
    case GgufType::boolean:
      return 1;
    case GgufType::uint16:
    case GgufType::int16:
      return 2;
    case GgufType::uint32:
    case GgufType::int32:
    case GgufType::float32:
      return 4;
    default:
      return 8;
  }
}

// A place in the file that only moves forward, and never beyond the end. It knows what is being read, for messages.
class Cursor {
 public:
  Cursor(const std::string& file, std::span<const std::byte> bytes) : file_(file), bytes_(bytes) {}

  void enter(std::string part) { part_ = std::move(part); }

  template <class... Parts>
  [[noreturn]] void fail(const Parts&... parts) const {
    throw Error(str(file_, ": ", part_, ": ", parts...));
  }

  size_t position() const { return position_; }
  size_t left() const { return bytes_.size() - position_; }
  std::span<const std::byte> since(size_t begin) const { return bytes_.subspan(begin, position_ - begin); }

  std::span<const std::byte> take(size_t n, std::string_view what) {
    if (n > left()) fail(what, " takes ", n, " bytes, but the file ends after ", left());
    position_ += n;
    return bytes_.subspan(position_ - n, n);
  }

  template <class T>
  T number(std::string_view what) {
    T value{};
    std::memcpy(&value, take(sizeof value, what).data(), sizeof value);
    return value;
  }

  std::string_view text(std::string_view what) {
    const auto length = number<uint64_t>(what);
    const auto chars = take(length, what);
    return {reinterpret_cast<const char*>(chars.data()), chars.size()};
  }

  // The number of things that follow, each of at least `item_bytes`.
  size_t count(std::string_view what, size_t item_bytes) {
    const auto n = number<uint64_t>(what);
    if (n > left() / item_bytes)
      fail(what, " is ", n, ", but the ", left(), " bytes left hold at most ", left() / item_bytes);
    return n;
  }

 private:
  const std::string& file_;
  std::span<const std::byte> bytes_;
  size_t position_ = 0;
  std::string part_ = "header";
};

uint32_t version_of(Cursor& in) {
  const auto magic = in.take(4, "magic");
  const std::string_view text(reinterpret_cast<const char*>(magic.data()), magic.size());
  if (text != "GGUF") in.fail("magic is ", quoted(text), ", not 'GGUF': this is no GGUF file");
  const auto version = in.number<uint32_t>("version");
  if (version == 2 || version == 3) return version;
  if (version != 0 && (version & 0xffff) == 0)
    in.fail("version is ", version, ": the file is big-endian, Ferry reads little-endian");
  in.fail("version is ", version, ", Ferry reads 2 and 3");
}

GgufType type_of(Cursor& in, std::string_view what) {
  const auto type = in.number<uint32_t>(what);
  const auto last = static_cast<uint32_t>(GgufType::float64);
  if (type > last) in.fail(what, " is ", type, ", the last one known is ", last);
  return static_cast<GgufType>(type);
}

void skip_items(Cursor& in, const GgufValue& value) {
  if (value.item_type == GgufType::string) {
    for (size_t i = 0; i < value.n_items; ++i) in.text("string");
    return;
  }
  const auto items = in.take(value.n_items * bytes_of(value.item_type), "value");
  if (value.item_type != GgufType::boolean) return;
  for (const std::byte item : items) {
    if (std::to_integer<int>(item) > 1) in.fail("boolean is ", std::to_integer<int>(item), ", not 0 or 1");
  }
}

GgufValue value_of(Cursor& in) {
  GgufValue value;
  value.type = value.item_type = type_of(in, "type");
  if (value.type == GgufType::array) {
    value.item_type = type_of(in, "type of the items");
    if (value.item_type == GgufType::array) in.fail("type of the items is array, Ferry reads no arrays of arrays");
    value.n_items = in.count("number of items", bytes_of(value.item_type));
  }
  const size_t begin = in.position();
  skip_items(in, value);
  value.bytes = in.since(begin);
  return value;
}

void read_metadata(Cursor& in, size_t n, GgufHeader& header) {
  for (size_t i = 0; i < n; ++i) {
    in.enter(str("metadata ", i, " of ", n));
    const std::string_view key = in.text("key");
    in.enter(str("metadata ", quoted(key)));
    if (!header.metadata.emplace(key, value_of(in)).second) in.fail("the key is there twice");
  }
}

uint64_t alignment_of(Cursor& in, const GgufHeader& header) {
  const auto found = header.metadata.find("general.alignment");
  if (found == header.metadata.end()) return kDefaultAlignment;
  in.enter("metadata 'general.alignment'");
  if (found->second.type != GgufType::uint32) in.fail("is of type ", name_of(found->second.type), ", not uint32");
  uint32_t alignment = 0;
  std::memcpy(&alignment, found->second.bytes.data(), sizeof alignment);
  if (alignment < kMinAlignment || alignment > kMaxAlignment || !std::has_single_bit(alignment)) {
    in.fail("is ", alignment, ", not a power of two from ", kMinAlignment, " to ", kMaxAlignment);
  }
  return alignment;
}

std::vector<int64_t> dims_of(Cursor& in) {
  const auto n_dims = in.number<uint32_t>("number of dimensions");
  if (n_dims < 1 || n_dims > kMaxDims) in.fail("has ", n_dims, " dimensions, not 1 to ", kMaxDims);
  std::vector<int64_t> dims;
  int64_t n_rows = 1;
  for (uint32_t d = 0; d < n_dims; ++d) {
    const auto size = in.number<uint64_t>("dimension");
    if (size < 1 || size > INT_MAX) in.fail("dimension ", d, " is ", size, ", not 1 to ", INT_MAX);
    dims.push_back(static_cast<int64_t>(size));
    if (d > 0) n_rows *= dims.back();
    if (n_rows > INT_MAX) in.fail("has more than ", INT_MAX, " rows");
  }
  return dims;
}

TensorFormat tensor_format_of(Cursor& in) {
  const auto type = in.number<uint32_t>("type");
  const auto format = format_of(type);
  if (!format) in.fail("is of type ", type, ", which Ferry does not read; convert it to one of ", readable_formats());
  return *format;
}

// Without its data, whose offset from the start of all data is returned.
uint64_t read_tensor(Cursor& in, GgufTensor& tensor) {
  tensor.name = in.text("name");
  in.enter(str("tensor ", quoted(tensor.name)));
  tensor.dims = dims_of(in);
  const TensorFormat format = tensor_format_of(in);
  const int64_t n_cols = tensor.dims[0];
  if (n_cols % format.block_values != 0) {
    in.fail("rows of ", n_cols, " values are no multiple of the ", format.block_values, " in a block of ", format.name);
  }
  tensor.matrix.type = format.type;
  tensor.matrix.n_cols = static_cast<int>(n_cols);
  tensor.matrix.n_rows =
      static_cast<int>(std::accumulate(tensor.dims.begin() + 1, tensor.dims.end(), int64_t{1}, std::multiplies<>()));
  tensor.matrix.row_bytes = static_cast<size_t>(n_cols / format.block_values) * static_cast<size_t>(format.block_bytes);
  return in.number<uint64_t>("offset");
}

std::vector<uint64_t> read_tensors(Cursor& in, size_t n, GgufHeader& header) {
  std::vector<uint64_t> offsets;
  for (size_t i = 0; i < n; ++i) {
    in.enter(str("tensor ", i, " of ", n));
    GgufTensor& tensor = header.tensors.emplace_back();
    offsets.push_back(read_tensor(in, tensor));
    if (!header.tensor_index.emplace(tensor.name, i).second) in.fail("the name is there twice");
  }
  return offsets;
}

void place(Cursor& in, GgufTensor& tensor, std::span<const std::byte> data, uint64_t offset) {
  if (offset > data.size() ||
      static_cast<size_t>(tensor.matrix.n_rows) > (data.size() - offset) / tensor.matrix.row_bytes) {
    in.fail("is ", tensor.matrix.n_rows, " rows of ", tensor.matrix.row_bytes, " bytes at offset ", offset,
            ", but the file has ", data.size(), " bytes of data");
  }
  tensor.matrix.data = data.data() + offset;
}

void place_all(Cursor& in, GgufHeader& header, std::span<const std::byte> data, std::span<const uint64_t> offsets) {
  const uint64_t alignment = alignment_of(in, header);
  for (size_t i = 0; i < offsets.size(); ++i) {
    in.enter(str("tensor ", quoted(header.tensors[i].name)));
    if (offsets[i] % alignment != 0) in.fail("offset ", offsets[i], " is no multiple of the alignment ", alignment);
    place(in, header.tensors[i], data, offsets[i]);
  }
}

void refuse_overlaps(Cursor& in, const GgufHeader& header, const std::byte* data) {
  std::vector<const GgufTensor*> by_place;
  for (const GgufTensor& tensor : header.tensors) by_place.push_back(&tensor);
  std::ranges::sort(by_place, {}, [](const GgufTensor* tensor) { return tensor->matrix.data; });
  for (size_t i = 1; i < by_place.size(); ++i) {
    const GgufTensor &before = *by_place[i - 1], &after = *by_place[i];
    const auto before_end = static_cast<size_t>(before.matrix.data - data) + before.n_bytes();
    const auto after_begin = static_cast<size_t>(after.matrix.data - data);
    if (before_end <= after_begin) continue;
    in.enter(str("tensor ", quoted(after.name)));
    in.fail("overlaps ", quoted(before.name), ": begins at ", after_begin, ", that one ends at ", before_end);
  }
}

}  // namespace

GgufHeader read_gguf_header(const std::string& file, std::span<const std::byte> bytes) {
  Cursor in(file, bytes);
  GgufHeader header;
  header.version = version_of(in);
  const size_t n_tensors = in.count("number of tensors", kMinTensorBytes);
  const size_t n_metadata = in.count("number of metadata", kMinMetadataBytes);
  read_metadata(in, n_metadata, header);
  const std::vector<uint64_t> offsets = read_tensors(in, n_tensors, header);

  const uint64_t alignment = alignment_of(in, header);
  const size_t aligned = (in.position() + alignment - 1) / alignment * alignment;
  header.data_begin = std::min(aligned, bytes.size());  // a file without tensors may end without the padding
  const auto data = bytes.subspan(header.data_begin);
  place_all(in, header, data, offsets);
  refuse_overlaps(in, header, data.data());
  return header;
}

}  // namespace ferry
