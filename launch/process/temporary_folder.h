#pragma once
// A folder for as long as somebody needs it; gone, with what is in it, when this object ends.

#include <filesystem>
#include <string>

namespace ferry {

class TemporaryFolder {
 public:
  // NAME.XXXXXX where the system keeps such things. Error where none can be made.
  explicit TemporaryFolder(const std::string& name);
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace ferry
