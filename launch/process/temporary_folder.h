#pragma once
// A folder for as long as somebody needs it; gone, with what is in it, when this object ends.

#include <filesystem>
#include <string>

namespace ferry {

class TemporaryFolder {
 public:
  // NAME.XXXXXX, without `where` in the system's place for such things. Error where none can be made. Those of the same
  // name whose process was killed go first: nobody else would ever remove them.
  explicit TemporaryFolder(const std::string& name,
                           const std::filesystem::path& where = std::filesystem::temp_directory_path());
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int held_ = -1;  // open and locked as long as we live, which others can see
};

}  // namespace ferry
