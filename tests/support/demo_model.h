#pragma once
// The demo model, where this machine has it: FERRY_TEST_MODEL, or where quickstart leaves it.

#include <optional>
#include <string>

namespace ferry {

std::optional<std::string> demo_model_path();

}  // namespace ferry

// At the start of a test: const std::string path = …, or the test is skipped with the reason.
#define FERRY_DEMO_MODEL_OR_SKIP(path)                              \
  const std::string path = ::ferry::demo_model_path().value_or(""); \
  if (path.empty()) GTEST_SKIP() << "no demo model: set FERRY_TEST_MODEL, or fetch it to build/models/"
