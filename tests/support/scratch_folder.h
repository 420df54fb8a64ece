#pragma once
// A folder of a test's own, gone with it: tests run beside each other.

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace ferry {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = testing::TempDir() + "ferry-test.XXXXXX";
    if (!mkdtemp(name.data())) ADD_FAILURE() << "cannot make a folder like " << name;
    path_ = name;
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace ferry
