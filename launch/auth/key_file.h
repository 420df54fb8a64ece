#pragma once
// The file of router.keys: a key a line, what it is called, its salt and hash, and what it may. `ferry keys` writes it;
// a person may, too.
//
//   # comments and empty lines are allowed
//   alice sha256:8b1f…:c07e… weight=2 max_streams=8 max_queued=16 admin

#include <filesystem>
#include <string>
#include <vector>

#include "launch/auth/api_key.h"

namespace ferry {

// Error with file and line. `file` is for messages.
std::vector<ApiKey> parse_keys(const std::string& text, const std::string& file);
std::string line_of(const ApiKey& key);  // without its end

// Error when the file cannot be read, or others than its owner can write it.
std::vector<ApiKey> load_keys(const std::filesystem::path& file);

// Both keep other lines, comments too, as they are, replace the file in one go, and wait for each other.
// Error when a key of that name is there already, or is not.
void add_key(const std::filesystem::path& file, const ApiKey& key);  // makes the file where there is none
void remove_key(const std::filesystem::path& file, const std::string& name);

}  // namespace ferry
