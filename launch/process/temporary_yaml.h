#pragma once
// A cluster.yaml that a command makes up for the processes it starts; gone when the command ends.

#include <string>

#include "launch/process/temporary_folder.h"

namespace ferry {

class TemporaryYaml {
 public:
  explicit TemporaryYaml(const std::string& text);

  std::string path() const { return (folder_.path() / "cluster.yaml").string(); }

 private:
  const TemporaryFolder folder_;
};

std::string quoted_yaml(const std::string& text);  // as YAML reads any text

}  // namespace ferry
