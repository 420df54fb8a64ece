#pragma once
// The keys that are good now: a file of them, read again when it changes.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "launch/auth/api_key.h"
#include "launch/auth/file_stamp.h"

namespace ferry {

class KeyRing {
 public:
  // Error when the file is not as it has to be.
  explicit KeyRing(std::filesystem::path file);

  // The key that was shown. Looks whether the file has changed first (a `stat`): one that is removed is refused from
  // then on. When the file has become unreadable, the keys of before stay, and the log says why.
  std::optional<ApiKey> find(std::string_view shown);

 private:
  void load();
  void refresh();

  const std::filesystem::path file_;
  FileStamp seen_;
  std::unordered_map<std::string, ApiKey> by_salt_;
};

}  // namespace ferry
