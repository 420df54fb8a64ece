#include "launch/process/temporary_yaml.h"

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace ferry {

TemporaryYaml::TemporaryYaml(const std::string& text) {
  const std::filesystem::path folder = std::filesystem::temp_directory_path();
  std::string name = (folder / "ferry-serve.XXXXXX").string();
  if (!mkdtemp(name.data())) throw Error("cannot make a folder in " + folder.string());
  folder_ = name;
  std::ofstream(path()) << text;
}

TemporaryYaml::~TemporaryYaml() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string quoted_yaml(const std::string& text) { return nlohmann::json(text).dump(); }  // JSON is YAML

}  // namespace ferry
