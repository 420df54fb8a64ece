#pragma once
// Reference answers in tests/data.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace ferry {

std::vector<std::string> lines_of_data(const std::string& file);
std::vector<nlohmann::json> json_lines_of_data(const std::string& file);

// FNV-1a over whole numbers, as tests/data/make_tokenizer_reference.py takes it; 16 hex digits.
std::string fnv1a_of(std::span<const int> numbers);

}  // namespace ferry
