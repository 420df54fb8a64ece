#include "launch/process/temporary_folder.h"

#include <cstdlib>

#include "core/base/error.h"

namespace ferry {

TemporaryFolder::TemporaryFolder(const std::string& name) {
  const std::filesystem::path where = std::filesystem::temp_directory_path();
  std::string path = (where / (name + ".XXXXXX")).string();
  if (!mkdtemp(path.data())) throw Error("cannot make a folder in " + where.string());
  path_ = path;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace ferry
