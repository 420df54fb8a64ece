#pragma once
// Structs to bytes and back, for everything that leaves a process: steps, control messages, link messages.
//
// A struct lists its fields once and gets both directions:
//   struct Ticket { int64_t request = 0; std::vector<int> pages;
//                   template <class A> void fields(A& a) { a(request, pages); } };
//   std::string bytes = pack(ticket);
//   std::optional<Ticket> back = unpack<Ticket>(bytes);   // nullopt: not a Ticket
//
// Little-endian, fixed width; strings and vectors are a 32-bit count and their items. Bytes come from other hosts and
// are not trusted: a count is held against what is left before anything is allocated, an enum against its last value
// (declared by a constant `kLast`), a bool must be 0 or 1, and nothing may be left over.

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace ferry {

static_assert(std::endian::native == std::endian::little, "the codec copies integers as they are");

class Packer {
 public:
  template <class... T>
  void operator()(const T&... values) {
    (one(values), ...);
  }
  std::string take() { return std::move(bytes_); }

 private:
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void one(const T& value) { bytes_.append(reinterpret_cast<const char*>(&value), sizeof value); }
  void one(const std::string& text) {
    one(static_cast<uint32_t>(text.size()));
    bytes_ += text;
  }
  template <class T>
  void one(const std::vector<T>& items) {
    one(static_cast<uint32_t>(items.size()));
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      bytes_.append(reinterpret_cast<const char*>(items.data()), items.size() * sizeof(T));
    } else {
      for (const T& item : items) one(item);
    }
  }
  template <class... T>
  void one(const std::variant<T...>& choice) {
    one(static_cast<uint8_t>(choice.index()));
    std::visit([this](const auto& value) { this->one(value); }, choice);
  }
  template <class T>
  requires requires(T& t, Packer& p) { t.fields(p); }
  void one(const T& value) {
    const_cast<T&>(value).fields(*this);  // fields() serves both directions; packing only reads
  }

  std::string bytes_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view bytes) : left_(bytes) {}
  template <class... T>
  void operator()(T&... values) {
    (one(values), ...);
  }
  // Everything was there, valid, and nothing is left.
  bool complete() const { return valid_ && left_.empty(); }

 private:
  template <class T>
  requires std::is_arithmetic_v<T> || std::is_enum_v<T>
  void one(T& value) {
    if (!valid_ || left_.size() < sizeof value) {
      valid_ = false;
      return;
    }
    if constexpr (std::is_same_v<T, bool>) {
      const auto byte = static_cast<uint8_t>(left_[0]);
      valid_ = byte <= 1;
      value = byte == 1;
    } else {
      std::memcpy(&value, left_.data(), sizeof value);
      if constexpr (std::is_enum_v<T>) valid_ = value >= T{} && value <= T::kLast;
    }
    left_.remove_prefix(sizeof value);
  }
  void one(std::string& text) {
    const size_t n = count(1);
    text.assign(left_.substr(0, n));
    left_.remove_prefix(n);
  }
  template <class T>
  void one(std::vector<T>& items) {
    // Every item takes at least a byte, so a lying count cannot ask for more memory than the message has bytes.
    const size_t n = count(std::is_arithmetic_v<T> ? sizeof(T) : 1);
    items.clear();
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
      items.resize(n);
      if (n > 0) std::memcpy(items.data(), left_.data(), n * sizeof(T));
      left_.remove_prefix(n * sizeof(T));
    } else {
      for (size_t i = 0; i < n && valid_; ++i) one(items.emplace_back());
    }
  }
  template <class... T>
  void one(std::variant<T...>& choice) {
    uint8_t index = 0;
    one(index);
    if (index >= sizeof...(T)) valid_ = false;
    if (valid_) read_alternative(choice, index, std::index_sequence_for<T...>{});
  }
  template <class Variant, size_t... I>
  void read_alternative(Variant& choice, size_t index, std::index_sequence<I...>) {
    ((index == I ? one(choice.template emplace<I>()) : void()), ...);
  }
  template <class T>
  requires requires(T& t, Unpacker& u) { t.fields(u); }
  void one(T& value) {
    if (valid_) value.fields(*this);
  }
  size_t count(size_t item_bytes) {
    uint32_t n = 0;
    one(n);
    if (n > left_.size() / item_bytes) valid_ = false;
    return valid_ ? n : 0;
  }

  std::string_view left_;
  bool valid_ = true;
};

template <class T>
std::string pack(const T& value) {
  Packer packer;
  packer(value);
  return packer.take();
}

template <class T>
std::optional<T> unpack(std::string_view bytes) {
  Unpacker unpacker(bytes);
  T value{};
  unpacker(value);
  if (!unpacker.complete()) return std::nullopt;
  return value;
}

}  // namespace ferry
