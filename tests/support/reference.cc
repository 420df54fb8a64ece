#include "tests/support/reference.h"

#include <array>
#include <cinttypes>
#include <cstdio>
#include <fstream>

#include "core/base/error.h"

namespace ferry {

std::vector<std::string> lines_of_data(const std::string& file) {
  const std::string path = FERRY_SOURCE_DIR "/tests/data/" + file;
  std::ifstream in(path);
  if (!in) throw Error("cannot open " + path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<nlohmann::json> json_lines_of_data(const std::string& file) {
  std::vector<nlohmann::json> cases;
  for (const std::string& line : lines_of_data(file)) cases.push_back(nlohmann::json::parse(line));
  return cases;
}

std::string fnv1a_of(std::span<const int> numbers) {
  uint64_t value = 0xcbf29ce484222325u;
  for (const int number : numbers) value = (value ^ static_cast<uint64_t>(number)) * 0x100000001b3u;
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016" PRIx64, value);
  return text.data();
}

}  // namespace ferry
