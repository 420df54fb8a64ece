#pragma once
// How most of what Linux says about a machine reads: a file with one line.

#include <filesystem>
#include <fstream>
#include <string>

namespace ferry {

inline std::string first_line(const std::filesystem::path& file) {  // empty where there is no such file
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

}  // namespace ferry
