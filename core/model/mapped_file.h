#pragma once
// A file's bytes, mapped read-only for as long as the object lives.

#include <cstddef>
#include <span>
#include <string>

namespace ferry {

class MappedFile {
 public:
  explicit MappedFile(const std::string& path);  // Error when it cannot be read
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

}  // namespace ferry
