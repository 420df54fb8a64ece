#include "launch/process/temporary_yaml.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace ferry {

TemporaryYaml::TemporaryYaml(const std::string& text) : folder_("ferry-serve") { std::ofstream(path()) << text; }

std::string quoted_yaml(const std::string& text) { return nlohmann::json(text).dump(); }  // JSON is YAML

}  // namespace ferry
