#include "tests/support/demo_model.h"

#include <cstdlib>
#include <filesystem>

namespace ferry {

std::optional<std::string> demo_model_path() {
  const char* asked = std::getenv("FERRY_TEST_MODEL");
  std::string path = asked ? asked : FERRY_SOURCE_DIR "/build/models/smollm2-135m-instruct-q4_1.gguf";
  if (!std::filesystem::exists(path)) return std::nullopt;
  return path;
}

}  // namespace ferry
