#pragma once
// Tells whether a file has changed, without reading it.

#include <sys/stat.h>

#include <filesystem>
#include <tuple>

namespace ferry {

class FileStamp {
 public:
  static FileStamp of(const std::filesystem::path& file) {
    FileStamp stamp;
    struct stat facts {};
    if (stat(file.c_str(), &facts) != 0) return stamp;
    const timespec &modified = facts.st_mtim, &changed = facts.st_ctim;
    stamp.facts_ = {facts.st_dev,     facts.st_ino,   facts.st_size,  modified.tv_sec,
                    modified.tv_nsec, changed.tv_sec, changed.tv_nsec};
    return stamp;
  }
  bool operator==(const FileStamp& other) const = default;

 private:
  std::tuple<dev_t, ino_t, off_t, time_t, long, time_t, long> facts_ = {0, 0, -1, 0, 0, 0, 0};  // of none
};

}  // namespace ferry
