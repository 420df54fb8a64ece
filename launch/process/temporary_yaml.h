#pragma once
// A cluster.yaml that a command makes up for the processes it starts; gone when the command ends.

#include <filesystem>
#include <string>

namespace ferry {

class TemporaryYaml {
 public:
  explicit TemporaryYaml(const std::string& text);
  ~TemporaryYaml();
  TemporaryYaml(const TemporaryYaml&) = delete;
  TemporaryYaml& operator=(const TemporaryYaml&) = delete;

  std::string path() const { return (folder_ / "cluster.yaml").string(); }

 private:
  std::filesystem::path folder_;
};

std::string quoted_yaml(const std::string& text);  // as YAML reads any text

}  // namespace ferry
