#pragma once
// The keys that are good now: a file of them, read again when it changes.

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "launch/auth/api_key.h"

namespace ferry {

class KeyRing {
 public:
  // Error when the file is not as it has to be.
  explicit KeyRing(std::filesystem::path file);

  // The key that was shown. Looks whether the file has changed first (a `stat`): one that is removed is refused from
  // then on. When the file has become unreadable, the keys of before stay, and the log says why.
  std::optional<ApiKey> find(std::string_view shown);

 private:
  struct Stamp {  // changes when the file does
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = -1;
    timespec modified{}, changed{};
    bool operator==(const Stamp& other) const;
  };
  Stamp stamp() const;
  void load();
  void refresh();

  const std::filesystem::path file_;
  Stamp seen_;
  std::unordered_map<std::string, ApiKey> by_salt_;
};

}  // namespace ferry
