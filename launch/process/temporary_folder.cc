#include "launch/process/temporary_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "core/base/error.h"

namespace ferry {

namespace {

namespace fs = std::filesystem;

// Before the name of a folder that is not held yet, and that others must not take for one left behind.
constexpr std::string_view kNotHeldYet = "new-";

// -1: it is held by somebody, or not ours.
int hold(const fs::path& folder) {
  const int file = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return -1;
  struct stat facts {};
  if (fstat(file, &facts) == 0 && facts.st_uid == geteuid() && flock(file, LOCK_EX | LOCK_NB) == 0) return file;
  close(file);
  return -1;
}

void remove_left_behind(const fs::path& where, const std::string& name) {
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(where, ignored)) {
    if (!entry.path().filename().string().starts_with(name + ".")) continue;
    const int held = hold(entry.path());
    if (held < 0) continue;
    fs::remove_all(entry.path(), ignored);
    close(held);
  }
}

}  // namespace

TemporaryFolder::TemporaryFolder(const std::string& name, const fs::path& where) {
  remove_left_behind(where, name);
  std::string made = (where / (std::string(kNotHeldYet) + name + ".XXXXXX")).string();
  if (!mkdtemp(made.data())) throw Error("cannot make a folder in " + where.string());
  held_ = hold(made);
  path_ = where / fs::path(made).filename().string().substr(kNotHeldYet.size());
  std::error_code failed;
  fs::rename(made, path_, failed);
  if (failed) path_ = made;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  if (held_ >= 0) close(held_);
}

}  // namespace ferry
